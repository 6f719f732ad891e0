import { describe, expect, test } from "vitest";
import { inputLeaves } from "../../../../test/backend/context.ts";
import { Random } from "../../../../test/support/random.ts";
import { compileGraph } from "../../../compiler/compiler.ts";
import { measuredTarget } from "../../common/measured-target.ts";
import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer } from "../../../compiler/program.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../../models/unet/unet.ts";
import { grad } from "../../../tensor/autodiff/grad.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { valueOf } from "../../../tensor/tensor.ts";
import { ReferenceBackend } from "../../reference/backend.ts";
import { chainKernels, kernelsOf } from "./chains.ts";
import type { Chain, ChainLimits, Step } from "./chains.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";

const IMAGES = 4;
const limits: ChainLimits = { fewestSlices: 2, leastBytes: 1024 };
const never: ChainLimits = { fewestSlices: Infinity, leastBytes: 0 };

/** Loss and gradients of a small U-Net. */
function gradients(): { graph: Graph; inputs: NdArray[] } {
  const random = new Random(1);
  const model = new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
  const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "huber" });
  const parameters = [...model.parameters().values()].map(valueOf);
  const shape = [IMAGES, 8, 8, 1];
  const t: NdArray = { shape: [IMAGES], dtype: "i32", data: Int32Array.of(3, 7, 0, 9) };
  const inputs = [random.array(shape), t, random.array(shape)];
  const leaves = inputLeaves(inputs);
  const loss = diffusion.pLosses(model, leaves[0], leaves[1], leaves[2]);
  return { graph: { inputs: leaves, outputs: [loss, ...grad(loss, parameters)], updates: [] }, inputs };
}

function chainsOf(steps: readonly Step[]): Chain[] {
  return steps.filter((step) => step.kind === "chain");
}

describe("chains", () => {
  const program = compileGraph(gradients().graph, measuredTarget);
  const part = { kernels: program.kernels, shared: program.outputs, start: 0 };
  const steps = chainKernels(part, limits);

  test("hold most kernels of a U-Net that go over images, and every kernel is in one step", () => {
    const places = steps.flatMap((step) =>
      step.kind === "single" ? [step.place] : step.members.map(({ place }) => place),
    );
    expect(places.toSorted((a, b) => a - b)).toEqual(program.kernels.map((_, place) => place));
    expect(Math.max(...chainsOf(steps).map(({ members }) => members.length))).toBeGreaterThan(20);
  });

  test("leave every kernel after those that it depends on", () => {
    const written = new Set<Buffer>(program.buffers.filter(({ source }) => source.kind !== "temporary"));
    for (const step of steps) {
      for (const kernel of kernelsOf(step)) {
        for (const buffer of readsOf(kernel)) {
          const isOwnResult = writesOf(kernel).includes(buffer);
          if (buffer.length > 0 && !isOwnResult) expect(written.has(buffer), `buffer ${buffer.id}`).toBe(true);
        }
        for (const buffer of writesOf(kernel)) written.add(buffer);
      }
    }
  });

  test("keep buffers that nobody else uses for a slice alone", () => {
    const outside = new Set<Buffer>(program.outputs);
    const own = new Set(chainsOf(steps).flatMap((chain) => chain.own));
    for (const step of steps)
      if (step.kind === "single") for (const buffer of readsOf(step.kernel)) outside.add(buffer);
    expect(own.size).toBeGreaterThan(10);
    for (const buffer of own) {
      expect(outside.has(buffer)).toBe(false);
      const whole = program.buffers.find(({ id }) => id === buffer.id);
      expect(buffer.length).toBe((whole?.length ?? 0) / IMAGES);
    }
  });

  test("are not made of batches that are too small, or of small tensors", () => {
    expect(chainsOf(chainKernels(part, { ...limits, fewestSlices: IMAGES + 1 }))).toEqual([]);
    expect(chainsOf(chainKernels(part, { ...limits, leastBytes: 1e9 }))).toEqual([]);
  });

  test("give the same results on any number of threads, those of the reference", async () => {
    const { graph, inputs } = gradients();
    const expected = await (await ReferenceBackend.create().load(graph)).run(inputs);
    const results: NdArray[][] = [];
    for (const [threads, chains] of [
      [1, limits],
      [2, limits],
      [3, limits],
      [2, never],
    ] as const) {
      const backend = await createWasmBackend({ threads, chains });
      try {
        results.push(await (await backend.load(graph)).run(inputs));
      } finally {
        await backend.close();
      }
    }
    const [first, second, third] = results;
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    for (const result of results) expect(worstDifference(result, expected)).toBeLessThan(2e-4);
  });
});

/** Of all outputs, as a share of an output's largest value. */
function worstDifference(actual: readonly NdArray[], expected: readonly NdArray[]): number {
  return Math.max(
    ...expected.map(({ data }, i) => {
      const values = Array.from(data);
      const scale = Math.max(1e-3, ...values.map(Math.abs));
      return Math.max(...values.map((x, at) => Math.abs(x - actual[i].data[at]))) / scale;
    }),
  );
}
