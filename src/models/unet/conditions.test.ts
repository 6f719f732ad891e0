import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random as Values } from "../../../test/support/random.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { CrossAttention } from "../../nn/attention/attention.ts";
import { ClassEmbedding } from "../conditions/classes.ts";
import { VectorEmbedding } from "../conditions/vector.ts";
import { Random } from "../../nn/init.ts";
import type { Module } from "../../nn/module/module.ts";
import { Unet } from "./unet.ts";
import type { UnetOptions } from "./options.ts";

interface Recorded {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Case {
  readonly parameters: Readonly<Record<string, Recorded>>;
  readonly output: Recorded;
  readonly weight: Recorded;
  readonly gradients: Readonly<Record<string, Recorded>>;
}
/** What PyTorch gave, see generate.py there. */
const recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/conditioning/conditioning.json", import.meta.url), "utf8"),
) as {
  readonly keepMask: readonly number[];
  readonly classes: Case & { readonly classes: readonly number[] };
  readonly vector: Case & { readonly vector: Recorded };
  readonly crossAttention: Case & {
    readonly x: Recorded;
    readonly context: Recorded;
    readonly mask: readonly number[];
  };
};
const arrayOf = ({ data, shape }: Recorded): NdArray => ndarray(data, shape);
const bools = (data: readonly number[], shape: readonly number[] = [data.length]) => ndarray(data, shape, "bool");

/** Compares a layer with PyTorch's parameters, and all gradients of the weighted sum of its output, with PyTorch's. */
async function expectRecorded(
  layer: Module,
  { parameters, output, weight, gradients }: Case,
  forward: (...inputs: Tensor[]) => Tensor,
  differentiable: Readonly<Record<string, NdArray>>,
  ...others: readonly NdArray[]
): Promise<void> {
  await layer.loadStateDict(new Map(Object.entries(parameters).map(([name, value]) => [name, arrayOf(value)])));
  const inputs = [...Object.values(differentiable), ...others];
  expect(largestDifference((await evaluate(forward, ...inputs)).data, output.data)).toBeLessThan(1e-5);
  for (const [name, { data }] of Object.entries(gradients)) {
    const place = Object.keys(differentiable).indexOf(name);
    const variable = layer.parameters().get(name);
    const ours = await evaluate(
      (w, ...tensors) => {
        const by = variable ? valueOf(variable) : tensors[place];
        return grad(
          forward(...tensors)
            .multiply(w)
            .sum(),
          [by],
        )[0];
      },
      arrayOf(weight),
      ...inputs,
    );
    expect(largestDifference(ours.data, data), name).toBeLessThan(2e-5);
  }
}

describe("as PyTorch computes it", () => {
  const random = new Random(1);
  const keepMask = bools(recorded.keepMask);

  test("a class embedding has a row of its own for images that are not told", async () => {
    const layer = new ClassEmbedding(4, 6, 8, random);
    const classes = ndarray(recorded.classes.classes, [3], "i32");
    const forward = (classes: Tensor, keepMask: Tensor) => layer.forward({ classes, keepMask });
    await expectRecorded(layer, recorded.classes, forward, {}, classes, keepMask);
  });

  test("a vector embedding has a vector of its own for them", async () => {
    const layer = new VectorEmbedding(5, 8, random);
    const vector = arrayOf(recorded.vector.vector);
    const forward = (vector: Tensor, keepMask: Tensor) => layer.forward({ vector, keepMask });
    await expectRecorded(layer, recorded.vector, forward, { vector }, keepMask);
  });

  test("cross-attention looks where the mask holds", async () => {
    const layer = new CrossAttention(8, { contextDim: 6, heads: 2, dimHead: 4, random });
    const { x, context, mask } = recorded.crossAttention;
    const forward = (x: Tensor, context: Tensor, mask: Tensor) => layer.forward(x, context, mask);
    const inputs = { x: arrayOf(x), context: arrayOf(context) };
    await expectRecorded(layer, recorded.crossAttention, forward, inputs, bools(mask, [2, 4]));
  });
});

const small: UnetOptions = { dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 2, attentionDimHead: 4 };
const conditional: UnetOptions = { ...small, numClasses: 3, vectorDim: 2, contextDim: 6 };

describe("a conditional U-Net", () => {
  const values = new Values(5);
  const model = new Unet(conditional);
  const x = values.array([2, 4, 4, 1]);
  const time = ndarray([3, 250], [2], "i32");
  const told = {
    classes: ndarray([2, 0], [2], "i32"),
    vector: values.array([2, 2]),
    context: values.array([2, 3, 6]),
    contextMask: bools([1, 1, 0, 1, 0, 1], [2, 3]),
  };
  type Told = Record<string, NdArray>;
  async function predict(conditions: Told): Promise<readonly [NdArray["data"], NdArray["data"]]> {
    const names = Object.keys(conditions);
    const { data } = await evaluate(
      (x, t, ...given) => model.forward(x, t, Object.fromEntries(names.map((name, i) => [name, given[i]]))),
      x,
      time,
      ...Object.values(conditions),
    );
    return [data.slice(0, 16), data.slice(16)];
  }

  test("has the peers' names for what it adds, and adds nothing else", () => {
    const plain = new Set(new Unet(small).parameters().keys());
    const added = [...model.parameters().keys()].filter((name) => !plain.delete(name));
    expect(plain.size).toBe(0);
    expect(added.filter((name) => !name.includes("cross_attn"))).toEqual([
      "classes_emb.weight",
      "null_classes_emb",
      "classes_mlp.0.weight",
      "classes_mlp.0.bias",
      "classes_mlp.2.weight",
      "classes_mlp.2.bias",
      "null_vector",
      "vector_mlp.0.weight",
      "vector_mlp.0.bias",
      "vector_mlp.2.weight",
      "vector_mlp.2.bias",
      "null_context",
    ]);
    const places = new Set(added.map((name) => name.match(/^cross_attns\.\d/)?.[0]));
    for (const place of [0, 1, 2, 3, 4]) expect(places).toContain(`cross_attns.${place}`);
    for (const [name, variable] of model.parameters()) expect(variable.name).toBe(name);
  });

  test("starts, where it is like another, with the same weights", async () => {
    const [state, plain] = [await model.stateDict(), await new Unet(small).stateDict()];
    for (const [name, value] of plain) expect(state.get(name), name).toEqual(value);
  });

  test.each(["classes", "vector", "context"] as const)("heeds its %s", async (name) => {
    const [with_, without] = [await predict({ [name]: told[name] }), await predict({})];
    for (const image of [0, 1]) expect(largestDifference(with_[image], without[image])).toBeGreaterThan(1e-4);
  });

  test("mixes the rows of classes by their shares", async () => {
    const rows = (await model.stateDict()).get("classes_emb.weight");
    if (!rows) throw new Error("the model has no rows for classes");
    const [dim, data] = [rows.shape[1], rows.data.slice()];
    for (let i = 0; i < dim; i++) data[2 * dim + i] = 0.25 * data[i] + 0.75 * data[dim + i];
    const other = await model.clone();
    await other.loadStateDict(new Map([...(await model.stateDict()), ["classes_emb.weight", { ...rows, data }]]));
    const answer = (of: Unet, classes: NdArray) =>
      evaluate((x, t, classes) => of.forward(x, t, { classes }), x, time, classes);
    // The first image of a mixture, of which the other model makes a class; the second of a class.
    const mixed = await answer(model, ndarray([0.25, 0.75, 0, 0, 1, 0], [2, 3]));
    const known = await answer(other, ndarray([2, 1], [2], "i32"));
    expect(largestDifference(mixed.data, known.data)).toBeLessThan(1e-6);
  });

  test("of a cascade heeds the images in less resolution, and their noise", async () => {
    const stage = new Unet({ ...small, lowresCond: true });
    expect(stage.initConv.weight.shape[1]).toBe(2);
    const added = ["0", "2"].flatMap((i) => [`lowres_time_mlp.${i}.weight`, `lowres_time_mlp.${i}.bias`]);
    const plain = new Unet(small).parameters();
    const names = [...stage.parameters().keys()].filter((name) => !plain.has(name));
    expect(names).toEqual(added.map((name) => name.replace(".0.", ".1.").replace(".2.", ".3.")));
    const answer = (image: NdArray, times: readonly number[]) =>
      evaluate(
        (x, t, lowresCondImg, lowresNoiseTimes) => stage.forward(x, t, { lowresCondImg, lowresNoiseTimes }),
        x,
        time,
        image,
        ndarray(times, [2], "i32"),
      );
    const [first, second] = [values.array(x.shape), values.array(x.shape)];
    const { data } = await answer(first, [5, 5]);
    expect(largestDifference(data, (await answer(second, [5, 5])).data)).toBeGreaterThan(1e-3);
    const other = (await answer(first, [5, 90])).data;
    expect(largestDifference(data.slice(0, 16), other.slice(0, 16))).toBeLessThan(1e-6);
    expect(largestDifference(data.slice(16), other.slice(16))).toBeGreaterThan(1e-3);
  });

  test("takes what is not kept for not told, image by image", async () => {
    const [all, none] = [await predict(told), await predict({})];
    const second = await predict({ ...told, keepMask: bools([0, 1]) });
    expect(largestDifference(second[0], none[0])).toBeLessThan(1e-6);
    expect(largestDifference(second[1], all[1])).toBeLessThan(1e-6);
    expect(largestDifference(second[0], all[0])).toBeGreaterThan(1e-4);
  });

  test("does not see what the mask hides of a context", async () => {
    const { context, contextMask } = told;
    const changed = { ...context, data: context.data.map((value, i) => (i >= 12 && i < 18 ? value + 9 : value)) };
    const [before, after] = [await predict({ context, contextMask }), await predict({ context: changed, contextMask })];
    expect(largestDifference(after[0], before[0])).toBeLessThan(1e-6);
    const seen = await predict({ context: changed });
    expect(largestDifference(seen[0], (await predict({ context }))[0])).toBeGreaterThan(1e-4);
  });

  test("says in one line what is wrong with a condition", async () => {
    const plain = new Unet(small);
    const classes = (model: Unet, classes: NdArray) =>
      evaluate((x, t, classes) => model.forward(x, t, { classes }), x, time, classes);
    await expect(classes(plain, told.classes)).rejects.toThrow("Unet: got classes, which the model was not made for");
    await expect(classes(model, ndarray([1], [1], "i32"))).rejects.toThrow(
      "Unet: classes must be i32 [2], got i32 [1]",
    );
    await expect(classes(model, ndarray([1, 0], [2, 1]))).rejects.toThrow(
      "Unet: classes must be f32 [2,3], got f32 [2,1]",
    );
    await expect(predict({ lowresCondImg: x })).rejects.toThrow(
      "Unet: got lowresCondImg, which the model was not made for: it takes classes, vector, context, contextMask",
    );
    const stage = new Unet({ ...small, lowresCond: true });
    const alone = evaluate((x, t) => stage.forward(x, t, { lowresCondImg: x }), x, time);
    await expect(alone).rejects.toThrow("Unet: got lowresCondImg without lowresNoiseTimes");
    await expect(predict({ vector: values.array([2, 3]) })).rejects.toThrow(
      "Unet: vector must be f32 [2,2], got f32 [2,3]",
    );
    await expect(predict({ context: values.array([2, 0, 6]) })).rejects.toThrow(
      "Unet: context must be f32 [2,1,6], got f32 [2,0,6]",
    );
    await expect(predict({ contextMask: told.contextMask })).rejects.toThrow("Unet: got contextMask without context");
    expect(() => new Unet({ ...small, numClasses: -1 })).toThrow(
      "Unet: numClasses must be a whole number of at least 0",
    );
  });
});
