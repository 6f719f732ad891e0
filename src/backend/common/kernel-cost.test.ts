import { describe, expect, test } from "vitest";
import { compileGraph } from "../../compiler/compiler.ts";
import { measuredTarget } from "../common/measured-target.ts";
import type { Kernel } from "../../compiler/program.ts";
import { Unet } from "../../models/unet/unet.ts";
import { attention } from "../../tensor/attention.ts";
import { conv2d } from "../../tensor/functions/functions.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Shape } from "../../tensor/shape.ts";
import { bytesOf, describeKernel, flopsOf } from "./kernel-cost.ts";

function input(index: number, shape: Shape, dtype: "f32" | "i32" = "f32"): Tensor {
  return new Tensor({ kind: "input", index, shape, dtype });
}

function kernelsOf(inputs: readonly Tensor[], ...outputs: readonly Tensor[]): readonly Kernel[] {
  return compileGraph({ inputs, outputs, updates: [] }, measuredTarget).kernels;
}

const total = (kernels: readonly Kernel[]): number => kernels.reduce((sum, kernel) => sum + flopsOf(kernel), 0);

describe("floating-point operations", () => {
  test("of a matrix product are two per multiply-add", () => {
    const [a, b] = [input(0, [5, 7]), input(1, [7, 3])];
    expect(total(kernelsOf([a, b], a.matmul(b)))).toBe(2 * 5 * 7 * 3);
  });

  test("of a convolution and of both its gradients are the same", () => {
    const [x, w] = [input(0, [2, 6, 8, 5]), input(1, [3, 3, 5, 4])];
    const y = conv2d(x, w, { padding: 1 });
    const forward = 2 * (2 * 6 * 8) * (3 * 3) * 5 * 4;
    expect(total(kernelsOf([x, w], y))).toBe(forward);
    const gradients = grad(y.multiply(y).sum(), [x, w]);
    expect(total(kernelsOf([x, w], ...gradients))).toBe(3 * forward);
  });

  test("of attention are those of two products, and of its gradients those of five, as similarities are computed again", () => {
    const inputs = [input(0, [2, 6, 3, 4]), input(1, [2, 9, 3, 4]), input(2, [2, 9, 3, 4])];
    const [q, k, v] = inputs;
    const target = { ...measuredTarget, fusesAttention: () => true };
    const flops = (...outputs: Tensor[]): number =>
      total(compileGraph({ inputs, outputs, updates: [] }, target).kernels);
    const y = attention(q, k, v, 0.5);
    const product = 2 * 2 * 3 * (6 * 9) * 4;
    expect(flops(y)).toBe(2 * product);
    const gradients = grad(y.sum(), inputs);
    expect(flops(...gradients)).toBe((2 + 5) * product);
    expect(flops(gradients[0])).toBe((2 + 3) * product);
    expect(flops(gradients[2])).toBe((2 + 2) * product);
  });

  test("of elementwise work and of sums are not counted", () => {
    const x = input(0, [4, 6]);
    expect(total(kernelsOf([x], x.exp().add(1), x.sum(1)))).toBe(0);
  });
});

/**
 * The multiply-adds of the article's U-Net for one image, counted by hand. The arguments are the pixels of its three
 * resolutions.
 */
function unetMultiplyAdds(fine: number, middle: number, coarse: number): number {
  const conv3 = (pixels: number, from: number, to: number): number => pixels * 9 * from * to;
  const conv1 = (pixels: number, from: number, to: number): number => pixels * from * to;
  const block = (pixels: number, from: number, to: number): number =>
    112 * 2 * to + conv3(pixels, from, to) + conv3(pixels, to, to) + (from === to ? 0 : conv1(pixels, from, to));
  // Four heads of 32 channels; the context is 32 x 32 per head.
  const projections = (pixels: number, width: number): number => conv1(pixels, width, 384) + conv1(pixels, 128, width);
  const linearAttention = (pixels: number, width: number): number =>
    projections(pixels, width) + 2 * 4 * 32 * 32 * pixels;
  const attention = (pixels: number, width: number): number => projections(pixels, width) + 2 * 4 * 32 * pixels ** 2;
  const stage = (pixels: number, from: number, to: number): number =>
    2 * block(pixels, from, to) + linearAttention(pixels, to);
  const time = 28 * 112 + 112 * 112;
  const down = stage(fine, 28, 28) + conv1(middle, 112, 28) + stage(middle, 28, 28) + conv1(coarse, 112, 56);
  const deep = stage(coarse, 56, 56) + conv3(coarse, 56, 112) + 2 * block(coarse, 112, 112) + attention(coarse, 112);
  const up =
    stage(coarse, 168, 112) +
    conv3(middle, 112, 56) +
    stage(middle, 84, 56) +
    conv3(fine, 56, 28) +
    stage(fine, 56, 28);
  const ends = conv1(fine, 1, 28) + conv3(fine, 28, 28) + block(fine, 56, 28) + conv1(fine, 28, 1);
  return time + down + deep + up + ends;
}

describe("the article's U-Net", () => {
  test("takes 65.2 GFLOP for 128 images by the count by hand", () => {
    expect((2 * 128 * unetMultiplyAdds(784, 196, 49)) / 1e9).toBeCloseTo(65.2, 1);
  });

  test("becomes kernels whose operations sum up to the count by hand", () => {
    // So small that linear attention keeps its usual order of products.
    const [height, width, batch] = [4, 12, 3];
    const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
    const [x, t] = [input(0, [batch, height, width, 1]), input(1, [batch], "i32")];
    const kernels = kernelsOf([x, t], model.forward(x, t));
    expect(total(kernels)).toBe(2 * batch * unetMultiplyAdds(48, 12, 3));
  });
});

test("bytes are those of every buffer read or written", () => {
  const [x, y] = [input(0, [10, 6]), input(1, [6])];
  const [kernel] = kernelsOf([x, y], x.add(y).exp());
  expect(bytesOf(kernel)).toBe(4 * (60 + 6 + 60));
  expect(bytesOf(kernel, ({ length }) => (length === 60 ? 2 : 4))).toBe(2 * 60 + 4 * 6 + 2 * 60);
});

test("bytes of a slice are those of the elements in it", () => {
  const x = input(0, [10, 6]);
  const [kernel] = kernelsOf([x], x.slice(1, 2, 4).exp());
  expect(bytesOf(kernel)).toBe(4 * (20 + 20));
  // Each row is read by itself and in the row after it: together no more than there is.
  const [twice] = kernelsOf([x], x.slice(0, 0, 9).add(x.slice(0, 1, 10)));
  expect(bytesOf(twice)).toBe(4 * (60 + 54));
});

test("a kernel is described by the size of its work", () => {
  const [x, w] = [input(0, [2, 6, 8, 5]), input(1, [3, 3, 5, 4])];
  const convolution = kernelsOf([x, w], conv2d(x, w, { padding: 1, stride: 2 })).find(
    ({ kind }) => kind === "convolution",
  );
  expect(describeKernel(convolution!)).toBe("2 x 3x4, 3x3 by 2x2, 5 -> 4");
  const [sum] = kernelsOf([x], x.sum([0, 1, 2]));
  expect(describeKernel(sum)).toBe("5 of 96");
});
