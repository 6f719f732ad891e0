import { afterAll, describe, expect, test, vi } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { softmax } from "../../src/tensor/functions/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { largestDifference } from "../support/evaluate.ts";
import { Random } from "../support/random.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { inputLeaves, runOnce } from "./context.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000 });

const fault = await whyNoWebGpu();

interface Case {
  readonly shape: readonly number[];
  readonly of: (x: Tensor) => Tensor;
}

/** Mean and variance of rows, which one kernel finds in several passes. */
function standardized(x: Tensor, axes: readonly number[]): Tensor {
  const centered = x.subtract(x.mean(axes, true));
  return centered.multiply(centered.square().mean(axes, true).add(1e-5).rsqrt());
}

/** By what decides how a reduction is laid out: which axis is next to which in memory, how many there are of each, fours. */
const cases: Readonly<Record<string, Case>> = {
  "rows, in fours": { shape: [300, 84], of: (x) => x.sum(1) },
  "rows of an odd length": { shape: [37, 211], of: (x) => x.sum(1) },
  "long rows": { shape: [3, 4096], of: (x) => x.max([1]) },
  "columns, in fours": { shape: [784, 56], of: (x) => x.sum(0) },
  "an odd number of columns": { shape: [97, 29], of: (x) => x.min([0]) },
  "columns in parts": { shape: [6272, 112], of: (x) => x.multiply(2).sum(0).add(1) },
  "columns of several axes in parts": { shape: [10, 7, 70, 30], of: (x) => x.square().sum([0, 1, 2]) },
  "an odd number of columns in parts": { shape: [4800, 27], of: (x) => x.abs().max([0]) },
  "everything in parts": { shape: [64, 40, 40], of: (x) => x.sum([0, 1, 2]) },
  "the outer and the inner axis": { shape: [12, 33, 20], of: (x) => x.sum([0, 2]) },
  "the middle axis of many": { shape: [96, 40, 96], of: (x) => x.sum(1) },
  "a softmax of rows": { shape: [50, 132], of: (x) => softmax(x) },
  "a softmax of rows of an odd length": { shape: [130, 77], of: (x) => softmax(x) },
  "a softmax of columns": { shape: [2, 196, 32], of: (x) => softmax(x.transpose([0, 2, 1])) },
  "standardized rows": { shape: [112, 1008], of: (x) => standardized(x, [1]) },
  "standardized columns": { shape: [64, 9, 36], of: (x) => standardized(x, [0, 1]) },
};

describe.skipIf(fault !== undefined)(`reductions on WebGPU (${fault ?? "an adapter is there"})`, () => {
  const opened: WebGpuBackend[] = [];
  afterAll(async () => {
    for (const backend of opened) await backend.close();
  });
  const reference = ReferenceBackend.create();

  test.each([undefined, "f16"] as const)("are the reference's, however they are laid out (%s)", async (precision) => {
    const backend = await createWebGpuBackend({ precision });
    opened.push(backend);
    for (const [name, { shape, of }] of Object.entries(cases)) {
      const inputs = [new Random(shape.length).array(shape)];
      const leaves = inputLeaves(inputs);
      const graph = { inputs: leaves, outputs: [of(leaves[0])], updates: [] };
      const [[output], [expected]] = [await runOnce(backend, graph, inputs), await runOnce(reference, graph, inputs)];
      const largest = Math.max(1, largestDifference(expected.data, new Float32Array(expected.data.length)));
      expect(largestDifference(output.data, expected.data) / largest, name).toBeLessThan(1e-5);
    }
  });
});
