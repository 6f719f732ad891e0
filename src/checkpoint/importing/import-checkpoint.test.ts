import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import { parsePytorch } from "../../io/pytorch/state-dict.ts";
import { parseSafetensors } from "../../io/safetensors/safetensors.ts";
import { compile } from "../../backend/compile.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { Unet } from "../../models/unet/unet.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../checkpoint.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../from-checkpoint.ts";
import { importCheckpoint } from "./import-checkpoint.ts";

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../test/fixtures/pytorch/${name}`, import.meta.url)));
const pytorch = (name: string) => parsePytorch(fixture(name), name);

interface Expected {
  readonly x: readonly number[];
  readonly t: number;
  readonly prediction: readonly number[];
  readonly trainer: { readonly model: number[]; readonly ema: number[]; readonly betas: number[] };
}
const expected = JSON.parse(new TextDecoder().decode(fixture("expected.json"))) as Expected;

/** The largest difference between what a checkpoint's model predicts and what PyTorch did. */
async function differenceOf(checkpoint: Checkpoint, prediction: readonly number[]): Promise<number> {
  const model = (await modelFromCheckpoint(checkpoint)) as Unet;
  const predict = compile(new ReferenceBackend(), ({ x, t }) => ({ outputs: { y: model.forward(x, t) } }));
  const { y } = await predict({ x: ndarray(expected.x, [1, 8, 8, 1]), t: ndarray(Int32Array.of(expected.t), [1]) });
  return Math.max(...prediction.map((value, i) => Math.abs(value - y.data[i])));
}

describe("the article's U-Net", () => {
  const article = { from: "article", imageSize: 8 } as const;

  test.each([
    ["article.pt", 1e-5],
    ["article.safetensors", 1e-5],
    ["module-half.pth", 5e-3],
  ])("of %s predicts what it does in PyTorch", async (name, tolerance) => {
    const file = name.endsWith(".safetensors") ? parseSafetensors(fixture(name), name) : pytorch(name);
    const { checkpoint, assumed } = await importCheckpoint(file, { ...article, source: name });
    expect(checkpoint.config.model).toMatchObject({
      architecture: "unet",
      dim: 4,
      dimMults: [1, 2],
      channels: 1,
      selfCondition: false,
      attentionHeads: 4,
      attentionDimHead: 32,
      weightStandardization: "printed",
    });
    expect(checkpoint.config.diffusion).toMatchObject({ timesteps: 300, objective: "predNoise", clipDenoised: false });
    expect(assumed).toEqual(["timesteps", "betaSchedule", "objective", "resnetBlockGroups"]);
    expect(await differenceOf(checkpoint, expected.prediction)).toBeLessThan(tolerance);
  });

  test("is another one where the code standardizes weights otherwise", async () => {
    const { checkpoint } = await importCheckpoint(pytorch("article.pt"), {
      ...article,
      from: "denoising-diffusion-pytorch",
      resnetBlockGroups: 4,
    });
    expect(await differenceOf(checkpoint, expected.prediction)).toBeGreaterThan(0.01);
  });

  test("becomes a checkpoint that can be written and read", async () => {
    const { checkpoint } = await importCheckpoint(pytorch("article.pt"), { ...article, imageSize: [8, 16] });
    const again = await decodeCheckpoint(await encodeCheckpoint(checkpoint), "again");
    expect(again.config.dataset).toMatchObject({ height: 8, width: 16, channels: 1 });
    expect(await differenceOf(again, expected.prediction)).toBeLessThan(1e-5);
  });
});

describe("what a Trainer of denoising-diffusion-pytorch keeps", () => {
  // The network inside is the article's, which is why it is named as its code.
  const options = { from: "article", imageSize: 8 } as const;

  test("gives the average, with the betas and the objective of its diffusion", async () => {
    const { checkpoint, prefix, assumed } = await importCheckpoint(pytorch("trainer.pt"), options);
    expect(prefix).toBe("ema.ema_model.model.");
    expect(checkpoint.step).toBe(2);
    expect(checkpoint.config.diffusion).toMatchObject({ timesteps: 20, objective: "predV" });
    expect([...(checkpoint.betas ?? [])]).toEqual(expected.trainer.betas.map(Math.fround));
    expect(assumed).toEqual(["resnetBlockGroups"]);
    expect(await differenceOf(checkpoint, expected.trainer.ema)).toBeLessThan(1e-5);
    diffusionFromCheckpoint(checkpoint);
  });

  test("or the model itself", async () => {
    const { checkpoint, prefix } = await importCheckpoint(pytorch("trainer.pt"), { ...options, ema: false });
    expect(prefix).toBe("model.model.");
    expect(await differenceOf(checkpoint, expected.trainer.model)).toBeLessThan(1e-5);
  });

  test("or what the average was taken of, where there is nothing else", async () => {
    const { tensors } = pytorch("trainer.pt");
    const ema = new Map([...tensors].filter(([name]) => name.startsWith("ema.")));
    const { prefix } = await importCheckpoint({ tensors: ema }, { ...options, ema: false });
    expect(prefix).toBe("ema.online_model.model.");
  });

  test("with a wrong number of timesteps is refused", async () => {
    await expect(
      importCheckpoint(pytorch("trainer.pt"), { ...options, timesteps: 30, source: "t.pt" }),
    ).rejects.toThrow("t.pt: has betas of 20 timesteps, not of 30");
  });
});

describe("the objective of a diffusion follows from the weights of its loss", () => {
  test.each([
    ["predNoise", (_bar: number) => 1],
    ["predX0", (bar: number) => bar / (1 - bar)],
    ["predX0", (bar: number) => Math.min(bar / (1 - bar), 5)],
    ["predV", (bar: number) => bar],
  ])("%s", async (objective, weightOf) => {
    const { tensors } = pytorch("trainer.pt");
    const bars = tensors.get("model.alphas_cumprod");
    if (bars?.dtype !== "F32") throw new Error("no alphas_cumprod");
    const changed = new Map([...tensors].filter(([name]) => !name.startsWith("ema.")));
    changed.set("model.loss_weight", { ...bars, data: bars.data.map(weightOf) });
    const { checkpoint } = await importCheckpoint({ tensors: changed }, { from: "article", imageSize: 8 });
    expect(checkpoint.config.diffusion).toMatchObject({ objective });
  });
});

describe("what fits no such U-Net is refused in one line", () => {
  const article = pytorch("article.pt").tensors;
  const without = (wrong: string) => new Map([...article].filter(([name]) => name !== wrong));
  const zeros = (...shape: number[]): SafeTensor => ({
    dtype: "F32",
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const nan = { ...zeros(4), data: Float32Array.of(0, NaN, 0, 0) } as SafeTensor;

  test.each<[string, ReadonlyMap<string, SafeTensor>, string]>([
    [
      "another network",
      new Map([["conv.weight", zeros(1)]]),
      "it has no init_conv.weight, but 1 tensors such as conv.weight",
    ],
    ["no tensors", new Map(), "it has no tensors"],
    [
      "a missing tensor",
      without("downs.0.0.block1.norm.bias"),
      "another U-Net than the one that is read: downs.0.0.block1.norm.bias is missing",
    ],
    ["a missing layer", without("time_mlp.1.weight"), "time_mlp.1.weight is missing"],
    [
      "one tensor too many",
      new Map(article).set("classes_emb.weight", zeros(3, 4)),
      "classes_emb.weight is unexpected",
    ],
    [
      "another shape",
      new Map(article).set("init_conv.weight", zeros(4, 1, 7, 7)),
      "init_conv.weight is f32 [4,1,7,7], not f32 [4,1,1,1]",
    ],
    [
      "a shape without axes",
      new Map(article).set("init_conv.weight", zeros()),
      "init_conv.weight must have 4 axes, none of them 0, got []",
    ],
    [
      "five channels",
      new Map(article).set("init_conv.weight", zeros(4, 5, 1, 1)),
      "5 inputs and 1 outputs are not those of a network for images of 1 or 3",
    ],
    [
      "numbers that are none",
      new Map(article).set("init_conv.bias", nan),
      "init_conv.bias has numbers that are not finite",
    ],
  ])("%s", async (_, tensors, message) => {
    const work = importCheckpoint({ tensors }, { from: "article", imageSize: 8, source: "w.pt" });
    await expect(work).rejects.toThrow(message);
    await expect(work).rejects.toThrow(/^w\.pt: [^\n]+$/);
  });

  test("and so are groups that cannot be those of its normalizations", async () => {
    const work = importCheckpoint(
      { tensors: article },
      { from: "denoising-diffusion-pytorch", imageSize: 8, source: "w.pt" },
    );
    await expect(work).rejects.toThrow(
      "w.pt: has 4 channels, which cannot be normalized in 8 groups: give resnetBlockGroups (--resnet-block-groups)",
    );
  });

  test("such as the present network of denoising-diffusion-pytorch", async () => {
    const work = importCheckpoint(pytorch("present.pt"), {
      from: "denoising-diffusion-pytorch",
      imageSize: 8,
      source: "p",
    });
    await expect(work).rejects.toThrow(
      /^p: a U-Net of denoising-diffusion-pytorch that unnoise does not have, .* with downs\.0\.0\.block1\.norm\.g, downs/,
    );
  });
});
