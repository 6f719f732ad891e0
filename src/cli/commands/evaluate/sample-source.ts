import type { Backend } from "../../../backend/backend.ts";
import type { Diffusion, SamplerSettings } from "../../../diffusion/diffusion.ts";
import type { GuidanceOptions } from "../../../diffusion/sampling/guidance.ts";
import type { SamplerName } from "../../../diffusion/samplers/plan.ts";
import { fingerprint } from "../../../evaluation/fingerprint.ts";
import { toBytes } from "../../../io/pixels.ts";
import type { ImageBatch } from "../../../io/pixels.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import type { LatestCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import type { EvaluateFlags } from "./flags.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";

/** Images that are drawn at a time. */
const BATCH = 64;

/** One way from noise to images. */
export interface SampleWay {
  readonly sampler: SamplerName;
  readonly steps: number;
  /** Evaluations of the network per image. */
  readonly evaluations: number;
  readonly settings: SamplerSettings & GuidanceOptions;
}

export interface DrawOptions {
  readonly number: number;
  readonly seed: number;
  /** Of each image, for a model with classes. */
  readonly classes: readonly number[] | undefined;
  readonly backend: Backend;
  readonly signal: AbortSignal;
  /** Is told how many evaluations of the network on a batch are done. */
  readonly onStep: (done: number) => void;
}

/** A checkpoint's model, ready to draw samples by any sampler. */
export class SampleSource {
  readonly found: LatestCheckpoint;
  readonly #model: DiffusionModel;
  readonly #diffusion: Diffusion;

  private constructor(found: LatestCheckpoint, model: DiffusionModel) {
    this.found = found;
    this.#model = model;
    this.#diffusion = diffusionFromCheckpoint(found.checkpoint);
  }

  static async open({ checkpoint, ema }: EvaluateFlags, say: (line: string) => void): Promise<SampleSource> {
    const found = await announcedCheckpoint(checkpoint, { say });
    return new SampleSource(found, await modelFromCheckpoint(found.checkpoint, { ema }));
  }

  get numClasses(): number {
    return this.#model.numClasses;
  }

  /** Of the weights that samples are drawn with. */
  fingerprint(): Promise<string> {
    return fingerprint(this.#model);
  }

  /** @throws one line, if a sampler cannot take a number of steps */
  ways({ sampler: samplers, steps, timestepSpacing, eta, guidance }: EvaluateFlags): SampleWay[] {
    if (guidance !== undefined && this.numClasses === 0) {
      throw new Error("--guidance: this model is not class-conditional");
    }
    const way = (sampler: SamplerName | undefined, steps: number | undefined): SampleWay => {
      const plan = this.#diffusion.plan({ sampler, steps, timestepSpacing, eta });
      const settings = { sampler, steps, timestepSpacing, eta, condScale: guidance };
      return { sampler: plan.sampler, steps: plan.visited, evaluations: plan.steps.length, settings };
    };
    return (samplers ?? [undefined]).flatMap((sampler) => (steps ?? [undefined]).map((count) => way(sampler, count)));
  }

  /** Evaluations of the network, each on a batch, for so many samples. */
  evaluations({ evaluations }: SampleWay, number: number): number {
    return evaluations * Math.ceil(number / BATCH);
  }

  /** Draws samples, with a seed for each batch of 64, as `unnoise sample` does. */
  async draw(
    { settings, evaluations }: SampleWay,
    { number, seed, classes, backend, signal, onStep }: DrawOptions,
  ): Promise<{ readonly images: ImageBatch<Uint8Array>; readonly secondsFor64: number }> {
    const { height, width } = this.found.checkpoint.config.dataset;
    const size = height * width * this.#model.channels;
    const data = new Uint8Array(number * size);
    const seconds: number[] = [];
    for (let start = 0; start < number; start += BATCH) {
      const batchSize = Math.min(BATCH, number - start);
      const began = performance.now();
      const samples = await this.#diffusion.sample(this.#model, {
        ...settings,
        batchSize,
        classes: classes?.slice(start, start + batchSize),
        imageSize: [height, width],
        seed: (seed + start / BATCH) % 2 ** 32,
        backend,
        signal,
        onStep: ({ step }) => onStep((start / BATCH) * evaluations + step),
      });
      seconds.push(((performance.now() - began) / 1000) * (BATCH / batchSize));
      toBytes(samples.data as Float32Array, data.subarray(start * size, (start + batchSize) * size));
    }
    return { images: { data, shape: [number, height, width, this.#model.channels] }, secondsFor64: median(seconds) };
  }
}

/** Neither the first batch, which compiles, nor a pause of the machine moves it. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
