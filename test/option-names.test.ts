import { describe, expect, test } from "vitest";
import * as unnoise from "../src/index.node.ts";

/** The package as plain JavaScript sees it: nothing keeps it from giving what the types refuse. */
type Plain = (...given: unknown[]) => unknown;
const { GaussianDiffusion, Linear, Unet, linearBetaSchedule, memoryDataset, ndarray } = unnoise;
const exported: Readonly<Record<string, unknown>> = { ...unnoise };
const call = (name: keyof typeof unnoise): Plain => exported[name] as Plain;
const made = (name: keyof typeof unnoise): Plain => {
  const Class = exported[name] as new (...given: unknown[]) => unknown;
  return (...given) => new Class(...given);
};

const images = new Uint8Array(128);
const dataset = memoryDataset({ name: "squares", images, shape: [2, 8, 8, 1] });
const model = new Unet({ dim: 4, channels: 1, dimMults: [1, 2], attentionHeads: 1 });
const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(1000), samplingTimesteps: 2 });
const picture = ndarray(new Float32Array(64), [1, 8, 8, 1]);
const features = ndarray(new Float32Array(8), [4, 2]);
const backend = new unnoise.ReferenceBackend();
const file = "/nowhere/file.png";

/** What is called, with what, and the error. */
const calls: readonly (readonly [Plain, readonly unknown[], RegExp])[] = [
  [made("Adam"), [[], { lr: 1e-4 }], /^Adam: has no option lr/],
  [made("AdamW"), [[], { weight_decay: 0.1 }], /^AdamW: has no option weight_decay, did you mean weightDecay\?$/],
  [made("Sgd"), [[], { momentun: 0.9 }], /^Sgd: has no option momentun, did you mean momentum\?$/],
  [made("Adam"), [[], { learningRate: "1e-4" }], /^Adam: learningRate must be a number, got "1e-4"$/],
  [made("AdmUnet"), [{ num_channels: 8 }], /^AdmUnet: has no option num_channels, did you mean numChannels\?$/],
  [made("DiT"), [{ hidden_size: 8 }], /^DiT: has no option hidden_size, did you mean hiddenSize\?$/],
  [made("UnetClassifier"), [{ Dim: 8 }], /^UnetClassifier: has no option Dim, did you mean dim\?$/],
  [made("Attention"), [8, { head: 2 }], /^Attention: has no option head, did you mean heads\?$/],
  [made("LinearAttention"), [8, { dim_head: 2 }], /^LinearAttention: .* did you mean dimHead\?$/],
  [made("CrossAttention"), [8, { context_dim: 2 }], /^CrossAttention: .* did you mean contextDim\?$/],
  [made("SelfAttention"), [8, { num_heads: 2 }], /^SelfAttention: has no option num_heads/],
  [made("Conv2d"), [1, 1, 3, { pading: 1 }], /^Conv2d: has no option pading, did you mean padding\?$/],
  [made("WeightStandardizedConv2d"), [1, 1, 3, { Stride: 1 }], /^WeightStandardizedConv2d: .* mean stride\?$/],
  [made("Linear"), [2, 2, { Bias: false }], /^Linear: has no option Bias, did you mean bias\?$/],
  [made("PointwiseConv1d"), [2, 2, { Bias: false }], /^PointwiseConv1d: has no option Bias/],
  [made("LayerNorm"), [2, { elementwise_affine: false }], /^LayerNorm: .* did you mean elementwiseAffine\?$/],
  [made("Embedding"), [2, 2, { weight_init: 1 }], /^Embedding: .* did you mean weightInit\?$/],
  [made("Mlp"), [2, 2, { activaton: 1 }], /^Mlp: .* did you mean activation\?$/],
  [made("GELU"), [{ approximat: "tanh" }], /^GELU: .* did you mean approximate\?$/],
  [made("Block"), [8, 8, { group: 2 }], /^Block: .* did you mean groups\?$/],
  [made("ResnetBlock"), [8, 8, { time_embedding_dim: 2 }], /^ResnetBlock: .* did you mean timeEmbeddingDim\?$/],
  [made("DataLoader"), [{ dataset, batchSize: 1, suffle: false }], /^DataLoader: .* did you mean shuffle\?$/],
  [made("RunDirectory"), ["run", { keepCheckpoint: 1 }], /^RunDirectory: .* did you mean keepCheckpoints\?$/],
  [call("memoryDataset"), [{ name: "x", images, sape: [2, 8, 8, 1] }], /^memoryDataset: .* did you mean shape\?$/],
  [call("memoryDataset"), [{ name: "x", images }], /^x: images must be \[count, height, width, channels\]/],
  [call("idxDataset"), [{ image: images }], /^idxDataset: .* did you mean images\?$/],
  [call("idxPair"), [{ image: file }], /^idxPair: .* did you mean images\?$/],
  [call("imageFolder"), [{ directory: ".", skip_broken: true }], /^imageFolder: .* did you mean skipBroken\?$/],
  [call("imageFolder"), ["photos"], /^imageFolder: options must be an object, got "photos"$/],
  [call("fashionMnist"), [{ splt: "test" }], /^fashion-mnist: has no option splt, did you mean split\?$/],
  [call("mnist"), [{ split: "valid" }], /^mnist: split must be train or test, got valid$/],
  [call("loadImage"), [file, { channel: 1 }], /^loadImage: has no option channel, did you mean channels\?$/],
  [call("decodeImage"), [file, { size: 8 }], /^decodeImage: has no option size/],
  [call("saveGrid"), [file, picture, { colums: 3 }], /^grid: has no option colums, did you mean columns\?$/],
  [call("saveAnimation"), ["a.gif", [], { delay_ms: 50 }], /^saveAnimation: .* did you mean delayMs\?$/],
  [call("linearBetaSchedule"), [10, { beta_start: 1e-3 }], /^linearBetaSchedule: .* did you mean betaStart\?$/],
  [call("cosineBetaSchedule"), [10, { S: 1 }], /^cosineBetaSchedule: has no option S, did you mean s\?$/],
  [call("laplaceBetaSchedule"), [10, { nu: 1 }], /^laplaceBetaSchedule: has no option nu/],
  [call("sigmoidJabriBetaSchedule"), [10, { Tau: 1 }], /^sigmoidJabriBetaSchedule: .* did you mean tau\?$/],
  [call("betaSchedule"), ["linear", 10, { scaled: true }], /^betaSchedule: .* did you mean scale\?$/],
  [call("bitsPerDim"), [diffusion, model, picture, { batch_size: 2 }], /^bitsPerDim: .* did you mean batchSize\?$/],
  [call("bitsPerDim"), [diffusion, model, picture, { vector: 1 }], /^bitsPerDim: vector must be /],
  [
    diffusion.interpolate.bind(diffusion) as Plain,
    [model, picture, picture, { lamb: 1 }],
    /^interpolate: .* mean lam\?$/,
  ],
  [
    diffusion.interpolate.bind(diffusion) as Plain,
    [model, picture, picture, { method: 1 }],
    /^interpolate: method must be /,
  ],
  [call("kernelDistance"), [backend, features, features, { subset: 2 }], /^kernelDistance: .* mean subsets\?$/],
  [call("trainClassifier"), [{ dataset, epoch: 2 }], /^trainClassifier: .* did you mean epochs\?$/],
  [call("cachedReference"), [dataset, undefined, { cash: false }], /^cachedReference: .* did you mean cache\?$/],
  [call("importCheckpoint"), [{ tensors: new Map() }, { From: "article" }], /^importCheckpoint: .* mean from\?$/],
  [call("denoising"), [model, diffusion, { cond_drop_prob: 0.1 }], /^denoising: .* did you mean condDropProb\?$/],
  [call("noisyClassification"), [model, diffusion, { sampler: "uniform" }], /^noisyClassification: has no option/],
];

describe("options that do not exist are refused, with the name that was probably meant", () => {
  test.each(calls.map(([what, given, message]) => ({ what, given, message })))("$message", async (row) => {
    const { what, given, message } = row;
    const outcome = (async () => what(...given))();
    await expect(outcome).rejects.toThrow(message);
  });
});

describe("what is given in place of a thing is named", () => {
  const options = { batchSize: 1, imageSize: 8, steps: 1 };
  const trainer = { model, diffusion, dataset, batchSize: 1, learningRate: 1e-3 };

  test.each([
    ["sample", Promise.resolve(model), /^sample: model must be awaited, got a promise of it$/],
    ["sample", undefined, /^sample: model must be a network with forward and channels, got undefined$/],
    ["invert", Promise.resolve(model), /^invert: model must be awaited/],
    ["interpolate", null, /^interpolate: model must be a network with forward and channels, got null$/],
  ] as const)("%s by a model that is none", async (method, given, message) => {
    const draw = diffusion[method].bind(diffusion) as Plain;
    const rest = method === "sample" ? [options] : [picture, picture];
    await expect((async () => draw(given, ...rest))()).rejects.toThrow(message);
  });

  test.each(["model", "diffusion", "dataset"] as const)("a trainer's %s that was not awaited", (name) => {
    const given = { ...trainer, [name]: Promise.resolve(trainer[name]) };
    expect(() => made("Trainer")(given)).toThrow(`Trainer: ${name} must be awaited, got a promise of it`);
  });

  test("a length of training that is none", async () => {
    const run = new unnoise.Trainer(trainer).run({ step: 1 } as never);
    await expect(run.next()).rejects.toThrow("Trainer: length: has no option step, did you mean steps?");
  });

  test("weights that are no Map by name, which would be written as none", async () => {
    const linear = new Linear(2, 2);
    const weights = Object.fromEntries(await linear.stateDict());
    await expect(linear.loadStateDict(weights as never)).rejects.toThrow("loadStateDict: must be a Map of tensors");
    await expect(unnoise.writeSafetensors("weights.safetensors", weights as never)).rejects.toThrow(
      "safetensors: tensors must be a Map of tensors by name",
    );
  });

  test("classes that are one number for all", async () => {
    const draw = diffusion.sample(model, { ...options, classes: 1 as never });
    await expect(draw).rejects.toThrow("sample: classes must be a list of numbers or an array, got 1");
  });
});
