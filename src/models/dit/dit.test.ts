import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { networkCases, weightsOf } from "../../../test/support/network-cases.ts";
import { Random } from "../../../test/support/random.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { DiT } from "./dit.ts";
import { ditSizes } from "./options.ts";
import type { DiTOptions } from "./options.ts";
import { sincosPositions } from "./positions.ts";

const small: DiTOptions = { hiddenSize: 16, depth: 2, numHeads: 2, channels: 1 };
const random = new Random(1);
const time = ndarray([3, 250], [2], "i32");

/** A model of these options with weights of which none is zero. */
async function filled(options: DiTOptions): Promise<DiT> {
  const model = new DiT(options);
  const parameters = Object.fromEntries([...model.parameters()].map(([name, { shape }]) => [name, shape]));
  const [recorded] = networkCases("dit");
  await model.loadStateDict(weightsOf({ ...recorded, parameters, seed: 7 }));
  return model;
}

describe("DiT", () => {
  test("starts by predicting nothing, with gates and modulations of zero", async () => {
    const model = new DiT({ ...small, numClasses: 2 });
    const y = await evaluate((x, t) => model.forward(x, t), random.array([2, 4, 4, 1]), time);
    expect(new Set(y.data)).toEqual(new Set([0]));
    const state = await model.stateDict();
    const zero = [...state].filter(([, { data }]) => data.every((value) => value === 0)).map(([name]) => name);
    const weights = zero.filter((name) => name.endsWith("weight"));
    expect(weights.toSorted()).toEqual([
      "blocks.0.adaLN_modulation.1.weight",
      "blocks.1.adaLN_modulation.1.weight",
      "final_layer.adaLN_modulation.1.weight",
      "final_layer.linear.weight",
    ]);
    // All biases start at zero.
    expect(zero.length - weights.length).toBe([...state.keys()].filter((name) => name.endsWith("bias")).length);
  });

  test("has the parameters of the authors' DiT-S/8", () => {
    const model = new DiT({ ...ditSizes.S, patchSize: 8, channels: 4, numClasses: 1000, outDim: 8 });
    expect(model.parameterCount()).toBe(33_142_016);
  });

  test("takes images that are not square, and tells their sides apart", async () => {
    const model = await filled(small);
    const x = random.array([2, 4, 8, 1]);
    const turned = { ...x, shape: [2, 8, 4, 1] };
    const y = await evaluate((x, t) => model.forward(x, t), x, time);
    expect(y.shape).toEqual([2, 4, 8, 1]);
    const other = await evaluate((x, t) => model.forward(x, t), turned, time);
    expect(other.shape).toEqual([2, 8, 4, 1]);
    expect(largestDifference(y.data, other.data)).toBeGreaterThan(1e-2);
  });

  test("knows a class for none", async () => {
    const model = await filled({ ...small, numClasses: 3 });
    const x = random.array([2, 4, 4, 1]);
    const [classes, keepMask] = [ndarray([2, 0], [2], "i32"), ndarray([1, 0], [2], "bool")];
    const told = await evaluate((x, t, classes) => model.forward(x, t, { classes }), x, time, classes);
    const untold = await evaluate((x, t) => model.forward(x, t), x, time);
    const half = await evaluate(
      (x, t, classes, keepMask) => model.forward(x, t, { classes, keepMask }),
      x,
      time,
      classes,
      keepMask,
    );
    expect(half.data.slice(0, 16)).toEqual(told.data.slice(0, 16));
    expect(half.data.slice(16)).toEqual(untold.data.slice(16));
    expect(largestDifference(told.data, untold.data)).toBeGreaterThan(1e-2);
  });

  test("takes the authors' checkpoints with their table of positions, if it is that", async () => {
    const model = new DiT(small);
    const state = await model.stateDict();
    const { data } = sincosPositions(3, 3, 16);
    await model.loadStateDict(new Map([...state, ["pos_embed", ndarray(data, [1, 9, 16])]]));
    expect((await model.stateDict()).has("pos_embed")).toBe(false);
    const refusal = (positions: Float32Array<ArrayBuffer>, shape: readonly number[]) =>
      expect(
        model.loadStateDict(new Map([...state, ["pos_embed", ndarray(positions, shape)]]), "a.pt"),
      ).rejects.toThrow("a.pt: pos_embed is not the table of sines and cosines of [1, patches, 16]");
    await refusal(data.with(20, 0.5), [1, 9, 16]);
    await refusal(data, [9, 16]);
    await refusal(data.slice(0, 128), [1, 8, 16]);
    await refusal(data.with(3, NaN), [1, 9, 16]);
  });
});

test("positions are those of the authors: columns first, then rows", () => {
  // get_2d_sincos_pos_embed(8, 2) of the authors' code.
  const angles = (position: number) => [Math.sin, Math.cos].flatMap((wave) => [wave(position), wave(position * 0.01)]);
  const [first, second] = [angles(0), angles(1)];
  const expected = [first, first, second, first, first, second, second, second].flat();
  const { shape, data } = sincosPositions(2, 2, 8);
  expect(shape).toEqual([4, 8]);
  expect(largestDifference(data, expected)).toBeLessThan(1e-7);
});

describe("DiT says in one line", () => {
  test("which images it needs", async () => {
    const model = new DiT({ ...small, patchSize: 3 });
    const run = (shape: readonly number[], times: number) => {
      const x = ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
      return evaluate((x, t) => model.forward(x, t), x, ndarray(new Int32Array(times), [times]));
    };
    await expect(run([1, 3, 4, 1], 1)).rejects.toThrow(
      "DiT: height and width must be divisible by patchSize, 3, got 3 x 4",
    );
    await expect(run([1, 3, 3, 2], 1)).rejects.toThrow("DiT: input must be f32 [batch, height, width, 1]");
    await expect(run([2, 3, 3, 1], 1)).rejects.toThrow(
      "DiT: time must hold one timestep for each of 2 images, got [1]",
    );
  });

  test("which options it needs", () => {
    const refusal = (options: Partial<DiTOptions>) => expect(() => new DiT({ ...small, ...options }));
    refusal({ depth: 0 }).toThrow("DiT: depth must be a whole number from 1 to 1024, got 0");
    refusal({ hiddenSize: 18 }).toThrow("DiT: hiddenSize must be divisible by 4, got 18");
    refusal({ numHeads: 3 }).toThrow("DiT: hiddenSize must be divisible by numHeads, got 16 and 3");
    refusal({ mlpRatio: 0.01 }).toThrow("DiT: mlpRatio must give the MLP at least one channel, got 0.01");
    refusal({ numClasses: 1.5 }).toThrow("DiT: numClasses must be a whole number of at least 0, got 1.5");
  });
});
