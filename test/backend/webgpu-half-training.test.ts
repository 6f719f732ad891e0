import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { Unet } from "../../src/models/unet/unet.ts";
import { runParity } from "../../src/parity/parity.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { largestDifference } from "../support/evaluate.ts";
import { parityFiles } from "../support/parity-files.ts";
import { Random } from "../support/random.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { evaluate } from "./context.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

const fault = await whyNoWebGpu();

const images = Uint8Array.from({ length: 16 * 64 }, (_, i) => (i * 37) % 256);
const dataset = memoryDataset({ name: "ramps", images, shape: [16, 8, 8, 1] });

const newTrainer = (backend: Backend): Trainer =>
  new Trainer({
    // Channels in fours, so that what is between its layers is stored as halves.
    model: new Unet({
      dim: 8,
      channels: 1,
      dimMults: [1],
      resnetBlockGroups: 2,
      attentionHeads: 1,
      attentionDimHead: 8,
    }),
    diffusion: new GaussianDiffusion({ betas: linearBetaSchedule(10) }),
    dataset,
    batchSize: 4,
    learningRate: 1e-3,
    backend,
  });

async function train(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ steps })) losses.push(loss);
  return losses;
}

const scaleOf = ({ optimizer }: Checkpoint): number | undefined => optimizer.get("loss_scale")?.data[0];

describe.skipIf(fault !== undefined)(`half precision on WebGPU (${fault ?? "an adapter is there"})`, () => {
  let gpu: Backend;
  beforeAll(async () => {
    gpu = await createWebGpuBackend({ precision: "f16" });
  });
  afterAll(() => gpu?.close());

  test("reads more buffers of halves in one kernel than an adapter binds", async () => {
    const random = new Random(1);
    const inputs = [random.array([1, 1, 4, 4]), ...Array.from({ length: 16 }, () => random.array([2, 3, 3, 4]))];
    const build = ([filter, ...images]: readonly Tensor[]): Tensor[] => [
      images.map((image) => conv2d(image, filter).reverse([1]).tanh()).reduce((a, b) => a.add(b)),
    ];
    const [[sum], [expected]] = [
      await evaluate(gpu, inputs, build),
      await evaluate(ReferenceBackend.create(), inputs, build),
    ];
    // Of each term the factors of the convolution are rounded, and what it gives.
    expect(largestDifference(sum.data, expected.data)).toBeLessThan(1e-2);
  });

  test("trains as single precision does, and takes no step whose gradients overflow", async () => {
    const trainer = newTrainer(gpu);
    const losses = await train(trainer, 10);
    const expected = await train(newTrainer(ReferenceBackend.create()), 10);
    expect(largestDifference(losses, expected)).toBeLessThan(1e-3);
    expect(Math.max(...losses) - Math.min(...losses)).toBeGreaterThan(0.1);

    const before = await trainer.checkpoint();
    expect(scaleOf(before)).toBe(2 ** 16);
    // Times so much, gradients are still floats, but no halves.
    const enormous = ndarray([2 ** 40], []);
    await trainer.restore({ ...before, optimizer: new Map([...before.optimizer, ["loss_scale", enormous]]) });
    const [loss] = await train(trainer, 11);
    expect(loss).toBeGreaterThan(0);
    const after = await trainer.checkpoint();
    expect(scaleOf(after)).toBe(2 ** 39);
    expect(after.model).toEqual(before.model);
    expect(after.optimizer.get("bias_correction1")).toEqual(before.optimizer.get("bias_correction1"));
  });

  test("repeats what PyTorch computed in single precision up to a hundredth, and gradients up to a tenth", async () => {
    const options = { variants: ["standardized"], parts: ["prediction", "gradients"] } as const;
    const [{ checks }] = await runParity(parityFiles("rgb-self-condition"), gpu, options);
    const differences = new Map(checks.map(({ name, largestDifference }) => [name, largestDifference]));
    expect(differences.get("prediction")).toBeLessThan(1e-2);
    expect(differences.get("gradients")).toBeLessThan(0.1);
    // It is not single precision by mistake.
    expect(differences.get("prediction")).toBeGreaterThan(2e-4);
  });
});
