import { describe, expect, test } from "vitest";
import { gradientError } from "../../../test/support/gradients.ts";
import { Random } from "../../../test/support/random.ts";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import {
  conv2d,
  crossEntropyLoss,
  gelu,
  huber,
  huberLoss,
  l1Loss,
  logSoftmax,
  mseLoss,
  silu,
  softmax,
  upsampleNearest,
} from "./functions.ts";
import { grad } from "../autodiff/grad.ts";
import { full, iota } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";

const close = async (tensor: Tensor, expected: readonly number[], digits = 6): Promise<void> => {
  const values = await valuesOf(tensor);
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));
};

const x = tensorOf([-3, -1, 0, 0.5, 2]);

describe("activations", () => {
  test("silu is x / (1 + e^-x)", async () => {
    await close(
      silu(x),
      [-3, -1, 0, 0.5, 2].map((v) => v / (1 + Math.exp(-v))),
    );
  });

  test("gelu is x times the normal distribution function", async () => {
    // Phi(-3), Phi(-1), Phi(1/2) and Phi(2) from tables of the normal distribution.
    const phi = [0.001349898, 0.158655254, 0.5, 0.691462461, 0.977249868];
    await close(
      gelu(x),
      [-3, -1, 0, 0.5, 2].map((v, i) => v * phi[i]),
    );
  });

  test("softmax is e^x over its sum, also for large arguments", async () => {
    const total = 1 + Math.E + Math.E ** 2;
    const expected = [1 / total, Math.E / total, Math.E ** 2 / total];
    await close(softmax(tensorOf([0, 1, 2])), expected);
    await close(softmax(tensorOf([1000, 1001, 1002])), expected);
    await close(
      softmax(tensorOf([0, 5, 1, 5, 2, 5], [3, 2]), 0),
      expected.flatMap((p) => [p, 1 / 3]),
    );
  });

  test("softmax has the gradient p (g - sum of p g)", async () => {
    const logits = tensorOf([0.3, -1, 2]);
    const weights = [1, 5, -2];
    const [gradient] = grad(softmax(logits).multiply(tensorOf(weights)).sum(), [logits]);
    const p = await valuesOf(softmax(logits));
    const mean = p.reduce((sum, value, i) => sum + value * weights[i], 0);
    await close(
      gradient,
      p.map((value, i) => value * (weights[i] - mean)),
    );
  });

  test("softmax refuses an axis that is not there", () => {
    expect(() => softmax(x, 1)).toThrow("softmax: axis must lie in [-1, 1), got 1");
  });
});

test("logSoftmax is the logarithm of softmax, also where that is 0", async () => {
  await close(logSoftmax(tensorOf([0, Math.log(2), Math.log(5)])), [1 / 8, 2 / 8, 5 / 8].map(Math.log));
  await close(logSoftmax(tensorOf([0, 1000])), [-1000, 0]);
  await close(logSoftmax(tensorOf([0, 7, Math.log(3), 7], [2, 2]), 0), [1 / 4, 1 / 2, 3 / 4, 1 / 2].map(Math.log));
});

describe("losses", () => {
  const prediction = tensorOf([0, 1, 2, -3]);
  const target = tensorOf([0.5, 1, -1, -1.25]);

  test("are means over all elements", async () => {
    await close(l1Loss(prediction, target), [(0.5 + 0 + 3 + 1.75) / 4]);
    await close(mseLoss(prediction, target), [(0.25 + 0 + 9 + 3.0625) / 4]);
    await close(huberLoss(prediction, target), [(0.125 + 0 + 2.5 + 1.25) / 4]);
  });

  test("huber is d^2/2 up to 1 and |d| - 1/2 beyond, with a gradient that stops growing", async () => {
    const d = tensorOf([-4, -1, -0.5, 0, 0.25, 1, 3]);
    await close(huber(d), [3.5, 0.5, 0.125, 0, 0.03125, 0.5, 2.5]);
    await close(grad(huber(d).sum(), [d])[0], [-1, -1, -0.5, 0, 0.25, 1, 1]);
  });
});

describe("crossEntropyLoss", () => {
  // Probabilities 1/6, 1/3, 1/2 and 1/4, 1/4, 1/2.
  const logits = tensorOf([0, Math.log(2), Math.log(3), 9, 9, 9 + Math.log(2)], [2, 3]);
  const labels = tensorOf([1, 2], [2], "i32");

  test("is the mean of -log p of the labels", async () => {
    await close(crossEntropyLoss(logits, labels), [(Math.log(3) + Math.log(2)) / 2]);
  });

  test("has the gradient (p - 1 at the label) / batch", async () => {
    const [gradient] = grad(crossEntropyLoss(logits, labels), [logits]);
    await close(gradient, [1 / 12, -1 / 3, 1 / 4, 1 / 8, 1 / 8, -1 / 4]);
  });

  test("refuses labels that do not fit", () => {
    expect(() => crossEntropyLoss(logits, tensorOf([1, 2, 0], [3], "i32"))).toThrow(
      "crossEntropyLoss: logits must be [batch, classes] and labels i32 [batch], got [2,3] and i32 [3]",
    );
    expect(() => crossEntropyLoss(logits, tensorOf([1, 2]))).toThrow("got [2,3] and f32 [2]");
  });
});

describe("conv2d", () => {
  test("correlates: the filter is not turned", async () => {
    const image = iota([9], 0, "f32").reshape([1, 3, 3, 1]);
    const filter = tensorOf([1, 10, 100, 1000], [2, 2, 1, 1]);
    // At each place: this pixel + 10 right + 100 below + 1000 below right.
    await close(conv2d(image, filter), [4310, 5421, 7643, 8754]);
  });

  test("pads with zeros and strides", async () => {
    const image = full([1, 4, 4, 1], 1);
    const filter = full([3, 3, 1, 1], 1);
    await close(conv2d(image, filter, { padding: 1, stride: 2 }), [4, 6, 6, 9]);
  });

  test("pads two axes differently", async () => {
    const image = tensorOf([1, 2, 3], [1, 1, 3, 1]);
    const row = tensorOf([1, 10, 100], [1, 3, 1, 1]);
    await close(conv2d(image, row, { padding: [0, 1] }), [210, 321, 32]);
    expect(conv2d(image, row, { padding: [2, 0] }).shape).toEqual([1, 5, 1, 1]);
  });

  test("sums over input channels per output channel", async () => {
    const image = tensorOf([1, 2], [1, 1, 1, 2]);
    const filter = tensorOf([1, 10, 100, 3, 30, 300], [1, 1, 2, 3]);
    await close(conv2d(image, filter), [7, 70, 700]);
  });
});

describe("upsampleNearest", () => {
  test("repeats every pixel", async () => {
    const image = tensorOf([1, 2, 3, 4], [1, 2, 2, 1]);
    const large = upsampleNearest(image);
    expect(large.shape).toEqual([1, 4, 4, 1]);
    await close(large, [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    expect(upsampleNearest(image, 3).shape).toEqual([1, 6, 6, 1]);
  });

  test("has the gradient that adds the copies up", async () => {
    const random = new Random(1);
    const error = await gradientError(([x]) => upsampleNearest(x.tanh()), [random.array([1, 2, 3, 2])], random);
    expect(error).toBeLessThan(3e-5);
  });
});
