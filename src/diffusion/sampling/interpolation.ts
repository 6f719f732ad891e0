import type { Backend } from "../../backend/backend.ts";
import { defaultBackend } from "../../backend/default.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { conditioningOf } from "./conditioning.ts";
import type { ConditioningOptions } from "./conditioning.ts";
import type { Denoiser } from "../denoiser.ts";
import type { SamplingPlan } from "../samplers/plan.ts";
import type { UsualSampling } from "../samplers/usual-sampling.ts";
import type { InversionOptions, SampleOptions, SamplerSettings } from "./sample.ts";
import type { Samples } from "./sampling.ts";
import { checkImages } from "../process/checks.ts";
import { START_NOISE, checkedSeed, noiseKey } from "./noise.ts";
import { noisedImages } from "./starting-images.ts";

/**
 * - `slerp`: inverts both images by DDIM, goes from one latent to the other on a great circle, and samples by DDIM from
 *   there (Song et al. 2021, 2010.02502, section 5.3). The ends are the images again, as far as inversion goes.
 * - `mix`: gives both the same noise, mixes them pixel by pixel, and samples (Ho et al. 2020, 2006.11239, section 4.3;
 *   `interpolate` of denoising-diffusion-pytorch). Keeps less of the images, the more noise `strength` asks for.
 */
export type InterpolationMethod = "slerp" | "mix";

export const interpolationMethods: readonly InterpolationMethod[] = ["slerp", "mix"];

export interface InterpolationOptions extends Omit<
  SampleOptions,
  | "batchSize"
  | "imageSize"
  | "firstIndex"
  | "generator"
  | "start"
  | "init"
  | "image"
  | "mask"
  | "resamples"
  | "jumpLength"
  | keyof ConditioningOptions
> {
  /** Of the first images, whole numbers from 0; for a model with `numClasses`. Without it, none is told. */
  readonly classes?: ArrayLike<number> | undefined;
  /** Of the second images; those of the first by default. Between them, the embeddings of both are mixed. */
  readonly toClasses?: ArrayLike<number> | undefined;
  /** Default `slerp`, which samples by `ddim` without noise; `mix` as the diffusion does, or else by `ddpm`. */
  readonly method?: InterpolationMethod;
  /** Shares of the second images, from 0 to 1; default 0.5. */
  readonly lam?: number | readonly number[];
  /**
   * Share of the steps that are run back and again; less leaves more of the images. Default 0.95, for `mix` 0.5. Beyond
   * that hardly any signal is left, and the least error of the network's is what images come back with.
   */
  readonly strength?: number;
}

/** What it takes to interpolate; every `Diffusion` can do it. */
export interface Interpolated {
  readonly samplingTimesteps: number;
  readonly sampling?: UsualSampling | undefined;
  plan(options?: SamplerSettings): SamplingPlan;
  sample(model: Denoiser, options: SampleOptions): Promise<Samples>;
  invert(model: Denoiser, images: NdArray, options?: InversionOptions): Promise<Samples>;
}

/** See `Diffusion.interpolate`. */
export async function interpolate(
  diffusion: Interpolated,
  model: Denoiser,
  x1: NdArray,
  x2: NdArray,
  { method = "slerp", lam = 0.5, ...options }: InterpolationOptions,
): Promise<Samples> {
  const lams = checkedLams(lam);
  const [batch, height, width] = x1.shape;
  checkImages("interpolate: x1", x1, [batch, height, width, model.channels]);
  checkImages("interpolate: x2", x2, x1.shape);
  if (!interpolationMethods.includes(method)) {
    throw new Error(`interpolate: method must be one of ${interpolationMethods.join(", ")}, got ${method}`);
  }
  const backend = options.backend ?? (await defaultBackend());
  const ends = endsOf(model, x1, x2, options);
  const { classes: _, toClasses: __, ...way } = options;
  return (method === "slerp" ? sphericalInterpolation : linearMixing)(diffusion, model, ends, lams, {
    ...way,
    backend,
  });
}

type Way = Omit<InterpolationOptions, "method" | "lam" | "classes" | "toClasses"> & { readonly backend: Backend };

/** Images to start from and to arrive at, and what is told of them: classes as mixtures, each of one alone. */
interface Endpoints {
  readonly from: NdArray;
  readonly to: NdArray;
  readonly classes?: { readonly from: NdArray; readonly to: NdArray } | undefined;
}

/** @throws one line if the model does not know these classes */
function endsOf(
  model: Denoiser,
  from: NdArray,
  to: NdArray,
  { classes, toClasses = classes }: InterpolationOptions,
): Endpoints {
  if (!toClasses) return { from, to };
  if (!classes) throw new Error("interpolate: toClasses are given without classes");
  const [batch] = from.shape;
  const numClasses = model.conditions?.classes?.numClasses ?? 0;
  const mixtures = (given: ArrayLike<number>): NdArray => {
    // Refuses what the model does not know.
    conditioningOf(model, from.shape, { classes: given });
    const shares = new Float32Array(batch * numClasses);
    for (let i = 0; i < batch; i++) shares[i * numClasses + given[i]] = 1;
    return ndarray(shares, [batch, numClasses]);
  };
  return { from, to, classes: { from: mixtures(classes), to: mixtures(toClasses) } };
}

function classesBetween({ classes }: Endpoints, lams: readonly number[]): NdArray | undefined {
  return classes && between(classes.from, classes.to, lams, linear);
}

async function sphericalInterpolation(
  diffusion: Interpolated,
  model: Denoiser,
  ends: Endpoints,
  lams: readonly number[],
  { sampler = "ddim", eta = 0, onStep, ...options }: Way,
): Promise<Samples> {
  if (sampler !== "ddim" || eta !== 0) {
    throw new Error(`interpolate: slerp samples by ddim without noise, got ${sampler} with eta ${eta}`);
  }
  const whole = { ...options, sampler, eta };
  const way = { ...whole, strength: options.strength ?? leaving(0.95, diffusion, whole) };
  const steps = diffusion.plan(way).steps.length;
  // Both encoded images and then those between them are one way of three parts.
  const part = (done: number): typeof onStep =>
    onStep && ((progress) => onStep({ ...progress, step: done + progress.step, steps: 3 * steps }));
  const invert = (end: "from" | "to", done: number): Promise<Samples> =>
    diffusion.invert(model, ends[end], { ...way, classes: ends.classes?.[end], returnSteps: [], onStep: part(done) });
  const [from, to] = [await invert("from", 0), await invert("to", steps)];
  const classes = classesBetween(ends, lams);
  return diffusion.sample(model, { ...way, classes, start: between(from, to, lams, slerp), onStep: part(2 * steps) });
}

async function linearMixing(
  diffusion: Interpolated,
  model: Denoiser,
  ends: Endpoints,
  lams: readonly number[],
  { sampler = diffusion.sampling?.sampler ?? "ddpm", ...options }: Way,
): Promise<Samples> {
  const seed = checkedSeed(options.seed);
  const isUsual = sampler === diffusion.sampling?.sampler;
  const steps = options.steps ?? (isUsual ? undefined : diffusion.samplingTimesteps);
  const whole = { ...options, sampler, steps };
  const way = { ...whole, strength: options.strength ?? leaving(0.5, diffusion, whole), seed };
  const { start } = diffusion.plan(way);
  const noised = (images: NdArray) =>
    noisedImages(options.backend, images.shape, noiseKey({ seed, firstIndex: 0 }, START_NOISE), images, start);
  const [from, to] = [await noised(ends.from), await noised(ends.to)];
  const classes = classesBetween(ends, lams);
  return diffusion.sample(model, { ...way, classes, start: between(from, to, lams, linear) });
}

/** This strength, or as much more as leaves one of the steps that are asked for. */
function leaving(strength: number, diffusion: Interpolated, way: SamplerSettings): number {
  return Math.max(strength, 1 / diffusion.plan({ ...way, strength: undefined }).visited);
}

/** Factors of two arrays in what lies between them. */
type Blend = (a: Float64Array, b: Float64Array, share: number) => readonly [ofA: number, ofB: number];

const linear: Blend = (_a, _b, share) => [1 - share, share];

/**
 * Spherical interpolation (Shoemake 1985): on the great circle, whose points between two latents have as much noise as
 * these, where straight lines lead through less.
 */
const slerp: Blend = (a, b, share) => {
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  // No circle is given by one direction or by two opposite ones.
  if (!(sine > 1e-6)) return linear(a, b, share);
  return [Math.sin((1 - share) * angle) / sine, Math.sin(share * angle) / sine];
};

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** All images of a batch at each share in turn. */
function between(from: NdArray, to: NdArray, lams: readonly number[], blend: Blend): NdArray {
  const [batch, ...image] = from.shape;
  const size = from.data.length / batch;
  const result = new Float32Array(lams.length * from.data.length);
  for (const [place, share] of lams.entries()) {
    for (let i = 0; i < batch; i++) {
      const [a, b] = [from, to].map(({ data }) => Float64Array.from(data.subarray(i * size, (i + 1) * size)));
      const [ofA, ofB] = blend(a, b, share);
      result.set(
        a.map((value, k) => ofA * value + ofB * b[k]),
        (place * batch + i) * size,
      );
    }
  }
  return ndarray(result, [lams.length * batch, ...image]);
}

function checkedLams(lam: number | readonly number[]): readonly number[] {
  const lams = typeof lam === "number" ? [lam] : lam;
  const wrong = lams.find((share) => !(share >= 0 && share <= 1));
  if (wrong !== undefined || lams.length === 0) {
    throw new Error(`interpolate: lam must be from 0 to 1, got ${wrong ?? "none"}`);
  }
  return lams;
}
