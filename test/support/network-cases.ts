import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Backend } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import type { DiffusionModel } from "../../src/models/model.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { mseLoss } from "../../src/tensor/functions/functions.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { Random } from "./random.ts";

/** A gradient's norm, and its products with vectors of random signs. */
type GradientSummary = readonly number[];

/** A small network with weights, images and targets that follow from a seed, and what PyTorch computed with it. */
export interface NetworkCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly shape: Shape;
  readonly times: readonly number[];
  readonly classes?: readonly number[];
  /** Numbers of the vector that describes each image, if they are told one; it follows from the seed too. */
  readonly vectorDim?: number;
  readonly parameters: Readonly<Record<string, Shape>>;
  readonly prediction: readonly number[];
  readonly loss: number;
  readonly imageGradient: GradientSummary;
  readonly gradients: Readonly<Record<string, GradientSummary>>;
  /** Parameters whose gradient is 0 but for rounding errors. */
  readonly zeroGradients?: readonly string[];
}

/** The cases of test/fixtures/networks/generate.py for one architecture. */
export function networkCases(architecture: string): readonly NetworkCase[] {
  const path = new URL(`../fixtures/networks/${architecture}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as NetworkCase[];
}

/** What diffusers says of a UNet2DModel. */
export interface PublishedConfig {
  /** A config.json as somebody may have written it. */
  readonly given: Readonly<Record<string, unknown>>;
  /** What diffusers writes of the same model, all fields with their values. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, Shape>>;
}

export type UNet2DCase = NetworkCase & PublishedConfig;

/** The cases of test/fixtures/networks/generate_unet_2d.py, each with the parameters in the order of diffusers. */
export function unet2DCases(): readonly UNet2DCase[] {
  return readCompressed("unet2d") as UNet2DCase[];
}

/** Published models of diffusers, by configs and shapes alone. */
export function publishedUNet2DModels(): readonly (PublishedConfig & { readonly name: string })[] {
  return readCompressed("unet2d-shapes") as (PublishedConfig & { readonly name: string })[];
}

function readCompressed(name: string): unknown {
  const path = new URL(`../fixtures/networks/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(path)).toString("utf8"));
}

/** The weights of a case, by the rules of the program that recorded it. */
export function weightsOf({ parameters, seed }: NetworkCase): Map<string, NdArray> {
  const sorted = Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const entries = sorted.map(([name, shape], i) => {
    const bound = Math.sqrt(3 / shape.slice(1).reduce((a, b) => a * b, 1));
    const [low, high] = shape.length > 1 ? [-bound, bound] : name.endsWith("weight") ? [0.5, 1.5] : [-0.25, 0.25];
    return [name, uniformArray(seed + i, shape, low, high)] as const;
  });
  return new Map(entries);
}

/** How far a network is from PyTorch's values on a backend. */
export interface Deviations {
  /** The largest difference of a prediction, as a share of the largest value. */
  readonly prediction: number;
  readonly loss: number;
  /** The norm of each gradient's difference as a share of the gradient's norm, as far as its products tell; `x` is the images'. */
  readonly gradients: Readonly<Record<string, number>>;
  /** The largest norm of a gradient that has to be 0 as a share of the largest norm. */
  readonly zeroGradients: number;
}

export async function deviations(model: DiffusionModel, recorded: NetworkCase, backend: Backend): Promise<Deviations> {
  const { shape, seed, times, classes, vectorDim, prediction } = recorded;
  await model.loadStateDict(weightsOf(recorded));
  const { zeroGradients = [] } = recorded;
  const names = [...Object.keys(recorded.gradients), ...zeroGradients];
  const parameters = model.parameters();
  const outShape = shape.with(3, prediction.length / (shape[0] * shape[1] * shape[2]));
  const program = compile(backend, ({ x, time, target, ...conditions }) => {
    const y = model.forward(x, time, conditions);
    const loss = mseLoss(y, target);
    const variables = names.flatMap((name) => parameters.get(name) ?? []);
    const [ofImages, ...gradients] = grad(loss, [x, ...variables.map(valueOf)]);
    const named = Object.fromEntries(gradients.map((gradient, i) => [`d ${names[i]}`, gradient]));
    return { outputs: { y, loss, "d x": ofImages, ...named } };
  });
  const outputs: Readonly<Record<string, NdArray>> = await program({
    x: uniformArray(seed + 1000, shape, -1.5, 1.5),
    time: perImage(times),
    target: uniformArray(seed + 1001, outShape, -1, 1),
    ...(classes && { classes: perImage(classes) }),
    ...(vectorDim !== undefined && { vector: uniformArray(seed + 1002, [shape[0], vectorDim], -1, 1) }),
  });
  program.dispose();
  const largest = Math.max(...prediction.map(Math.abs));
  const difference = Math.max(...prediction.map((value, i) => Math.abs(value - outputs.y.data[i])));
  const trained = names.toSorted();
  const share = (name: string, summary: GradientSummary, at: number): [string, number] => [
    name,
    gradientShare(outputs[`d ${name}`].data, summary, at),
  ];
  return {
    prediction: difference / largest,
    loss: Math.abs(outputs.loss.data[0] / recorded.loss - 1),
    gradients: Object.fromEntries([
      share("x", recorded.imageGradient, seed + 2000),
      ...Object.entries(recorded.gradients).map(([name, summary]) =>
        share(name, summary, seed + 3000 + trained.indexOf(name)),
      ),
    ]),
    zeroGradients:
      Math.max(0, ...zeroGradients.map((name) => Math.hypot(...outputs[`d ${name}`].data))) /
      Math.max(...Object.values(recorded.gradients).map(([norm]) => norm)),
  };
}

/** Whole numbers as such. */
function perImage(numbers: readonly number[]): NdArray {
  return ndarray(numbers, [numbers.length], numbers.every(Number.isInteger) ? "i32" : "f32");
}

/** The root mean square of a difference's products with random signs estimates its norm (Achlioptas 2003). */
function gradientShare(gradient: ArrayLike<number>, [norm, ...products]: GradientSummary, seed: number): number {
  const random = new Random(seed);
  const squares = products.map((expected) => {
    let product = 0;
    for (let i = 0; i < gradient.length; i++) product += random.float() < 0.5 ? -gradient[i] : gradient[i];
    return (product - expected) ** 2;
  });
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length) / norm;
}

function uniformArray(seed: number, shape: Shape, low: number, high: number): NdArray {
  const random = new Random(seed);
  return random.array(shape, "f32", () => random.between(low, high));
}
