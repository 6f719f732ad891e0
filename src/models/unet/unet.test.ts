import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { parseSafetensors } from "../../io/safetensors/safetensors.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { Unet } from "./unet.ts";
import type { UnetOptions } from "./options.ts";

const small: UnetOptions = { dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 2, attentionDimHead: 4 };

const shapesOf = (model: Unet) =>
  Object.fromEntries([...model.parameters()].map(([name, { shape }]) => [name, [...shape]]));

function recordedShapes(parityCase: string): Record<string, readonly number[]> {
  const path = new URL(`../../../test/fixtures/parity/${parityCase}/unet.safetensors`, import.meta.url);
  const { tensors } = parseSafetensors(readFileSync(path));
  return Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
}

describe("the U-Net's parameters", () => {
  test("have the names and shapes of the article's PyTorch code", () => {
    const gray = new Unet({ dim: 8, channels: 1, dimMults: [1, 2, 4] });
    expect(shapesOf(gray)).toEqual(recordedShapes("gray"));
    const colour = new Unet({ dim: 8, channels: 3, dimMults: [1, 2], selfCondition: true });
    expect(shapesOf(colour)).toEqual(recordedShapes("rgb-self-condition"));
  });

  test("are 2,020,257 in the article's model of Fashion-MNIST", () => {
    expect(new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] }).parameterCount()).toBe(2_020_257);
  });

  test("are 653,313 in the recipe of 2 attention heads", () => {
    const model = new Unet({ dim: 16, channels: 1, dimMults: [1, 2, 4], attentionHeads: 2 });
    expect(model.parameterCount()).toBe(653_313);
  });

  test("follow from the seed", async () => {
    const weights = async (seed: number) =>
      (await new Unet({ ...small, seed }).stateDict()).get("mid_block1.mlp.1.weight");
    expect(await weights(1)).toEqual(await weights(1));
    expect(await weights(1)).not.toEqual(await weights(2));
  });

  test("carry their names as labels", () => {
    for (const [name, variable] of new Unet(small).parameters()) expect(variable.name).toBe(name);
  });
});

describe("the U-Net", () => {
  const random = new Random(1);
  const time = ndarray([3, 250], [2], "i32");

  test("takes images that are not square, and returns their shape", async () => {
    const model = new Unet(small);
    const y = await evaluate((x, t) => model.forward(x, t), random.array([2, 4, 10, 1]), time);
    expect(y.shape).toEqual([2, 4, 10, 1]);
  });

  test("treats the images of a batch apart", async () => {
    const model = new Unet(small);
    const x = random.array([2, 4, 4, 1]);
    const together = await evaluate((x, t) => model.forward(x, t), x, time);
    const second = ndarray(x.data.slice(16), [1, 4, 4, 1]);
    const alone = await evaluate((x, t) => model.forward(x, t), second, ndarray([250], [1], "i32"));
    expect(largestDifference(together.data.slice(16), alone.data)).toBeLessThan(1e-6);
  });

  test("depends on the time", async () => {
    const model = new Unet(small);
    const x = random.array([1, 4, 4, 1]);
    const at = (t: number) => evaluate((x, t) => model.forward(x, t), x, ndarray([t], [1], "i32"));
    expect(largestDifference((await at(0)).data, (await at(200)).data)).toBeGreaterThan(1e-3);
  });

  test("works with initDim and outDim of their own", async () => {
    const model = new Unet({ ...small, initDim: 12, outDim: 2 });
    expect(shapesOf(model)).toMatchObject({
      "init_conv.weight": [12, 1, 1, 1],
      "final_res_block.block1.proj.weight": [8, 24, 3, 3],
      "final_conv.weight": [2, 8, 1, 1],
    });
    const y = await evaluate((x, t) => model.forward(x, t), random.array([2, 4, 4, 1]), time);
    expect(y.shape).toEqual([2, 4, 4, 2]);
  });

  test("puts the self-condition before the images, zeros if there is none", async () => {
    const model = new Unet({ ...small, selfCondition: true });
    const [x, known] = [random.array([2, 4, 4, 1]), random.array([2, 4, 4, 1])];
    const zeros = ndarray(new Float32Array(32), [2, 4, 4, 1]);
    const run = (...inputs: (typeof x)[]) =>
      evaluate((x, t, selfCondition) => model.forward(x, t, { selfCondition }), x, time, ...inputs);
    expect((await run()).data).toEqual((await run(zeros)).data);
    const before = await run(known);
    expect(largestDifference(before.data, (await run()).data)).toBeGreaterThan(1e-3);

    // Without the first convolution's weights for its input channel 0, the self-condition has no effect.
    const state = await model.stateDict();
    const first = state.get("init_conv.weight");
    if (first) for (let out = 0; out < 8; out++) first.data[out * 2] = 0;
    await model.loadStateDict(state);
    expect((await run(known)).data).toEqual((await run(zeros)).data);
  });

  test("is cloned with its weights, which then are its own", async () => {
    const model = new Unet({ ...small, seed: 5 });
    const state = await model.stateDict();
    state.get("final_conv.bias")?.data.fill(7);
    await model.loadStateDict(state);
    const copy = await model.clone();
    expect(await copy.stateDict()).toEqual(state);
    expect(copy.options).toEqual(model.options);
    state.get("final_conv.bias")?.data.fill(8);
    await model.loadStateDict(state);
    expect((await copy.stateDict()).get("final_conv.bias")?.data[0]).toBe(7);
  });
});

describe("the U-Net says in one line", () => {
  const model = new Unet(small);
  const run = (shape: readonly number[], times: number, knownShape?: readonly number[]) => {
    const known = knownShape ? [ndarray(new Float32Array(knownShape.reduce((a, b) => a * b, 1)), knownShape)] : [];
    const x = ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    const t = ndarray(new Int32Array(times), [times]);
    return evaluate((x, t, selfCondition) => model.forward(x, t, { selfCondition }), x, t, ...known);
  };

  test("which sizes it needs", async () => {
    await expect(run([1, 4, 5, 1], 1)).rejects.toThrow(
      "Unet: height and width must be divisible by 2 with 2 resolutions, got 4 x 5",
    );
    await expect(run([1, 4, 4, 3], 1)).rejects.toThrow("Unet: input must be f32 [batch, height, width, 1]");
    await expect(run([2, 4, 4, 1], 1)).rejects.toThrow(
      "Unet: time must hold one timestep for each of 2 images, got [1]",
    );
    await expect(run([1, 4, 4, 1], 1, [1, 4, 4, 1])).rejects.toThrow(
      "Unet: got selfCondition, which the model was not made for",
    );
  });

  test("which options it needs", () => {
    expect(() => new Unet({ dim: 7 })).toThrow("Unet: dim must be even and at least 4, got 7");
    expect(() => new Unet({ dim: 8, dimMults: [] })).toThrow(
      "Unet: dimMults must be a list of 1 to 12 entries, got []",
    );
    expect(() => new Unet({ dim: 8, dimMults: [1, 1.5] })).toThrow("dimMults[1] must be a whole number");
    expect(() => new Unet({ dim: 10 })).toThrow("must be divisible by resnetBlockGroups, got 10 and 4");
    expect(() => new Unet({ dim: 8, initDim: 6 })).toThrow("must be divisible by resnetBlockGroups, got 6 and 4");
    expect(() => new Unet({ dim: 8, channels: 0 })).toThrow(
      "Unet: channels must be a whole number of at least 1, got 0",
    );
  });

  test("which options there are, in plain JavaScript too", () => {
    const make = (options: object) => () => new Unet(options as UnetOptions);
    expect(make({ dim: 8, dim_mults: [1, 2] })).toThrow("Unet: has no option dim_mults, did you mean dimMults?");
    expect(make({ dim: 8, numClass: 3 })).toThrow("Unet: has no option numClass, did you mean numClasses?");
    expect(make({ dim: 8, dimMults: 4 })).toThrow("Unet: dimMults must be a list of 1 to 12 entries, got 4");
    expect(make({ dim: 8, selfCondition: 1 })).toThrow("Unet: selfCondition must be true or false, got 1");
    expect(make({})).toThrow("Unet: dim must be a whole number from 1 to 4096, got nothing");
  });
});
