import { afterAll, describe, expect, test } from "vitest";
import { inputLeaves } from "../../../../../test/backend/context.ts";
import { Random } from "../../../../../test/support/random.ts";
import { grad } from "../../../../tensor/autodiff/grad.ts";
import { conv2d } from "../../../../tensor/functions/functions.ts";
import type { Graph } from "../../../../tensor/graph.ts";
import type { NdArray } from "../../../../tensor/ndarray.ts";
import { ReferenceBackend } from "../../../reference/backend.ts";
import { createWasmBackend } from "../../wasm-backend.node.ts";
import { schemes } from "./scheme.ts";

type Sizes = readonly [batch: number, height: number, width: number, inChannels: number, outChannels: number];

/** A convolution with a bias, and its gradients by input and by filter for a cotangent of random numbers. */
function convolutionOf([batch, height, width, inChannels, outChannels]: Sizes): { graph: Graph; inputs: NdArray[] } {
  const random = new Random(1);
  const inputs = [
    random.array([batch, height, width, inChannels]),
    random.array([3, 3, inChannels, outChannels]),
    random.array([batch, height, width, outChannels]),
    random.array([outChannels]),
  ];
  const leaves = inputLeaves(inputs);
  const [x, w, dy, bias] = leaves;
  const y = conv2d(x, w, { padding: 1 });
  return {
    graph: { inputs: leaves, outputs: [y.add(bias), ...grad(y.multiply(dy).sum(), [x, w])], updates: [] },
    inputs,
  };
}

/** The largest difference of each result, in multiples of the largest value. */
function errorsOf(results: readonly NdArray[], expected: readonly NdArray[]): number[] {
  return expected.map(({ data }, i) => {
    let [largest, worst] = [0, 0];
    for (let k = 0; k < data.length; k++) {
      largest = Math.max(largest, Math.abs(data[k]));
      worst = Math.max(worst, Math.abs(data[k] - results[i].data[k]));
    }
    return worst / largest;
  });
}

// Sizes that fill tiles and blocks of channels, and sizes that do not.
const SIZES: readonly Sizes[] = [
  [4, 16, 16, 64, 64],
  [2, 30, 33, 20, 36],
  [1, 34, 31, 16, 24],
  [16, 7, 7, 28, 44],
  [8, 8, 8, 128, 96],
  [3, 4, 4, 136, 64],
  [2, 9, 10, 96, 128],
];

describe("3x3 convolutions by Winograd's algorithm", async () => {
  const reference = ReferenceBackend.create();
  const backends = await Promise.all([
    createWasmBackend({ threads: 2 }),
    createWasmBackend({ threads: 1, wide: false }),
    createWasmBackend({ threads: 2, strict: true }),
  ]);
  afterAll(() => Promise.all([reference, ...backends].map((backend) => backend.close())));

  test.for(SIZES)("of %i images of %i x %i from %i to %i channels and their gradients", async (sizes) => {
    const { graph, inputs } = convolutionOf(sizes);
    const expected = await (await reference.load(graph)).run(inputs);
    for (const backend of backends) {
      const results = await (await backend.load(graph)).run(inputs);
      const bound = backend === backends[2] ? 3e-6 : 3e-5;
      for (const error of errorsOf(results, expected)) expect(error).toBeLessThan(bound);
    }
  });

  test("take tiles of 4x4 where there are many, and of 2x2 where they are to be exact", async () => {
    const { graph } = convolutionOf(SIZES[1]);
    const tilesOf = async (i: number): Promise<Set<unknown>> => {
      const { kernels } = (await backends[i].load(graph)).program;
      return new Set(kernels.flatMap((kernel) => ("tile" in kernel ? [kernel.tile] : [])));
    };
    expect(await tilesOf(0)).toEqual(new Set([4]));
    expect(await tilesOf(2)).toEqual(new Set([2]));
  });

  test("transform images ahead where there are few of them beside channels", async () => {
    const { graph } = convolutionOf(SIZES[4]);
    const { kernels } = (await backends[0].load(graph)).program;
    const transforms = kernels.flatMap((kernel) => (kernel.kind === "transform" ? [kernel.of] : []));
    expect(transforms.toSorted()).toEqual(["cotangents", "windows", "windows", "windows"]);
  });
});

/** A y with a small matrix. */
const times = (matrix: readonly (readonly number[])[], vector: readonly number[]): number[] =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));

test.for([2, 4] as const)("F(%i, 3) is the correlation of a sequence with three taps", (tile) => {
  const { filters, windows, products } = schemes[tile];
  const taps = [2, -3, 5];
  const pixels = [1, 4, -2, 7, 3, -5].slice(0, tile + 2);
  const [g, d] = [times(filters, taps), times(windows, pixels)];
  const results = times(
    products,
    g.map((value, i) => value * d[i]),
  );
  results.forEach((value, i) => {
    expect(value).toBeCloseTo(2 * pixels[i] - 3 * pixels[i + 1] + 5 * pixels[i + 2], 10);
  });
});
