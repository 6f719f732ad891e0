import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { programOf } from "../backend/wasm/program/compiled-program.ts";
import { Unet } from "../models/unet/unet.ts";
import { grad } from "../tensor/autodiff/grad.ts";
import { Tensor, valueOf } from "../tensor/tensor.ts";
import { kindsOf } from "./profile.ts";
import { workloadNames } from "./workload-names.ts";
import { sizeNames, titleOf } from "./sizes.ts";
import { Workload, networkOf } from "./workload.ts";

describe("a workload", { timeout: 60_000 }, () => {
  test("is named by its work and its batch", () => {
    expect(workloadNames.map((name) => titleOf(name))).toEqual([
      "train step, batch 128",
      "forward, batch 128",
      "sampling step, batch 64",
    ]);
    expect(titleOf("train", 4)).toBe("train step, batch 4");
    expect(titleOf("forward", undefined, "dim64")).toBe("forward, 64 channels, 64x64x3, batch 8");
    expect(titleOf("sampling", undefined, "dim28-single")).toBe("sampling step, 28 channels, 28x28x1, batch 1");
  });

  test("has the network that its size says", () => {
    // Its parameters are counted in unet-2d.test.ts, and take a while to draw.
    const names = sizeNames.filter((name) => name !== "ddpm-church-256");
    const counts = names.map((name) => {
      const parameters = [...networkOf(name).parameters().values()];
      return [name, parameters.reduce((sum, { size }) => sum + size, 0)];
    });
    // Counted by PyTorch of bench/peers/unet.py and unet_2d.py.
    expect(Object.fromEntries(counts)).toEqual({
      dim28: 2_020_257,
      dim16: 714_753,
      dim32: 9_191_683,
      dim64: 35_705_347,
      dim128: 28_521_731,
      "dim28-single": 2_020_257,
      "dim64-single": 35_705_347,
      "ddpm-cifar10-32": 35_746_307,
    });
  });

  test.each(["forward", "sampling"] as const)("of %s runs, and shows the one program that ran", async (name) => {
    const backend = ReferenceBackend.create();
    const workload = new Workload(backend, name, { batchSize: 1 });
    const seconds = await workload.step();
    expect(seconds).toBeGreaterThan(0);
    expect(workload.lastRuns()).toHaveLength(1);
    expect(workload.lastRuns()).toHaveLength(0);
    await backend.close();
  });

  test("of prediction runs the network on its batch", async () => {
    const backend = ReferenceBackend.create();
    const workload = new Workload(backend, "forward", { batchSize: 1 });
    await workload.step();
    const [{ executable, inputs }] = workload.lastRuns();
    // Inputs reach an executable in the order of their names: t, x.
    expect(inputs.map(({ shape }) => shape)).toEqual([[1], [1, 28, 28, 1]]);
    const [images] = await executable.run(inputs);
    expect(images.shape).toEqual([1, 28, 28, 1]);
    await backend.close();
  });

  test("of training tells its forward pass from its gradients", () => {
    const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
    const x = new Tensor({ kind: "input", index: 0, shape: [2, 28, 28, 1], dtype: "f32" });
    const t = new Tensor({ kind: "input", index: 1, shape: [2], dtype: "i32" });
    const parameters = [...model.parameters().values()];
    const gradients = grad(model.forward(x, t).square().sum(), parameters.map(valueOf));
    const updates = parameters.map((variable, i) => ({ variable, value: valueOf(variable).subtract(gradients[i]) }));
    const { kernels } = programOf({ inputs: [x, t], outputs: [], updates });
    const workload = new Workload(ReferenceBackend.create(), "train", { batchSize: 2 });
    const kinds = kindsOf(kernels, workload.forwardContractions());
    const count = (wanted: string): number => kinds.filter((kind) => kind === wanted).length;
    // Two 3x3 convolutions in each of 15 blocks, and four that change the width or the resolution.
    expect(count("convolution")).toBe(34);
    expect(count("convolution by input")).toBe(34);
    expect(count("convolution by filter")).toBe(34);
  });
});
