import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { noiseSchedule } from "../../src/diffusion/process/noise-schedule.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { readSafetensors } from "../../src/io/safetensors/safetensors.node.ts";
import type { Safetensors } from "../../src/io/safetensors/safetensors.ts";
import { check, oneOf, wholeNumber } from "../../src/config/rules.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { COMPARED_IMAGES, TIMESTEPS } from "../contest/reference.ts";
import { serve } from "../contest/serve.ts";
import type { Service } from "../contest/serve.ts";

/** A U-Net in a library that runs in JavaScript and does not train. */
export interface Predictor {
  /** The library and what it runs on. */
  readonly description: string;
  /** @param x images as NCHW */
  predict(x: Float32Array, t: Int32Array): Promise<Float32Array>;
}

const settings = z.strictObject({
  workload: oneOf(["forward", "sampling"]),
  batch: z.coerce.number().pipe(wholeNumber(1)),
  threads: z.coerce.number().pipe(wholeNumber(1)),
  /** A safetensors file; see writeReference. */
  reference: z.string(),
  /** The directory whose node_modules has the library. */
  npm: z.string(),
  /** A Python that has the library's packages. */
  python: z.string(),
});

export type PredictorSettings = z.infer<typeof settings>;

export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a predictor is made for. */
export interface PredictorTask {
  /** Of the images: [batch, channels, height, width]. */
  readonly shape: readonly number[];
  /** By the article's names. */
  readonly weights: ReadonlyMap<string, Weight>;
}

/** Does the work with the predictor that `make` gives; see Participant for the lines. */
export async function servePredictor(
  name: string,
  make: (settings: PredictorSettings, task: PredictorTask) => Promise<Predictor>,
): Promise<never> {
  return serve(name, async () => {
    const flags = Object.fromEntries(Object.keys(settings.shape).map((flag) => [flag, { type: "string" as const }]));
    const given = check(settings, parseArgs({ options: flags }).values, name);
    const reference = await readSafetensors(given.reference);
    const shape = [given.batch, ...(reference.tensors.get("images")?.shape.slice(1) ?? [])];
    const predictor = await make(given, { shape, weights: weightsOf(reference) });
    return serviceOf(given, shape, reference, predictor);
  });
}

function weightsOf({ tensors }: Safetensors): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  for (const [name, { dtype, shape, data }] of tensors) {
    if (dtype === "F32" && name.startsWith("model.")) weights.set(name.slice("model.".length), { shape, data });
  }
  return weights;
}

async function serviceOf(
  { workload, batch }: PredictorSettings,
  shape: readonly number[],
  { tensors }: Safetensors,
  predictor: Predictor,
): Promise<Service> {
  const values = sizeOf(shape);
  const numbers = (name: string, count: number) => {
    return Float32Array.from(tensors.get(name)?.data ?? [], Number).subarray(0, count);
  };
  const images = numbers("images", values);
  const noise = numbers("noise", values);
  const timesteps = Int32Array.from(numbers("timesteps", batch));
  const middle = new Int32Array(batch).fill(TIMESTEPS / 2);
  const work = {
    forward: () => predictor.predict(images, timesteps),
    sampling: async (noise: Float32Array) => denoised(images, await predictor.predict(images, middle), noise),
  }[workload];
  const step = async (): Promise<{ seconds: number }> => {
    const start = performance.now();
    const result = await work(workload === "sampling" ? standardNormal(values) : noise);
    const seconds = (performance.now() - start) / 1000;
    const sum = result.reduce((sum, value) => sum + value, 0);
    if (!Number.isFinite(sum)) throw new Error(`the result must be finite, got ${sum}`);
    return { seconds };
  };
  await step();
  return {
    description: predictor.description,
    answers: {
      step,
      values: async () => ({ values: [...(await work(noise)).subarray(0, (COMPARED_IMAGES / batch) * values)] }),
    },
  };
}

const schedule = noiseSchedule(linearBetaSchedule(TIMESTEPS));

/** One step of Algorithm 2 of Ho et al. (2020, 2006.11239) from the middle timestep. */
function denoised(x: Float32Array, predicted: Float32Array, noise: Float32Array): Float32Array {
  const t = TIMESTEPS / 2;
  const share = schedule.betasOverSqrtOneMinusAlphasCumprod[t];
  const scale = schedule.sqrtRecipAlphas[t];
  const spread = schedule.sqrtPosteriorVariance[t];
  return x.map((value, i) => scale * (value - share * predicted[i]) + spread * noise[i]);
}

/** Box & Muller (1958) */
function standardNormal(length: number): Float32Array {
  return Float32Array.from({ length }, () => {
    return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  });
}

/** A package of the directory that --install-peers fills. */
export async function loadPackage(npm: string, name: string): Promise<unknown> {
  const { resolve } = createRequire(join(npm, "package.json"));
  return import(pathToFileURL(resolve(name)).href);
}
