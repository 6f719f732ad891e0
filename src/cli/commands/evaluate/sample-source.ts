import type { Backend } from "../../../backend/backend.ts";
import type { Diffusion } from "../../../diffusion/diffusion.ts";
import type { SamplerSettings } from "../../../diffusion/sampling/sample.ts";
import type { GuidanceOptions } from "../../../diffusion/sampling/guidance.ts";
import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import { byteImages } from "../../../evaluation/byte-images.ts";
import { fingerprint } from "../../../evaluation/fingerprint.ts";
import type { ImageBatch } from "../../../io/images/pixels.ts";
import { sha256 } from "../../../io/sha256.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { heightAndWidth } from "../../../config/image-size.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import { diffusionFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import type { LatestCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import type { EvaluateFlags } from "./flags.ts";
import { loadModel } from "../../flags/model.ts";
import { wayOf } from "../../flags/drawing/way.ts";
import { condScaleOf } from "../../flags/drawing/guiding.ts";
import { alone } from "../../../training/collective/collective.ts";
import type { Collective } from "../../../training/collective/collective.ts";
import { BATCH, drawBatches, roundsOf } from "../../output/draw-batches.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";

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
  /** [height, width] of the samples. */
  readonly imageSize: readonly [number, number];
  readonly model: DiffusionModel;
  readonly #diffusion: Diffusion;

  private constructor(found: LatestCheckpoint, model: DiffusionModel, imageSize: ImageSize | undefined) {
    this.found = found;
    const { height, width } = found.checkpoint.config.dataset;
    this.imageSize = heightAndWidth(imageSize ?? [height, width]);
    this.model = model;
    this.#diffusion = diffusionFromCheckpoint(found.checkpoint);
  }

  static async open(flags: EvaluateFlags, say: (line: string) => void): Promise<SampleSource> {
    const { checkpoint, imageSize } = flags;
    const found = await announcedCheckpoint(checkpoint, { say });
    return new SampleSource(found, await loadModel(found.checkpoint, flags), imageSize);
  }

  get channels(): number {
    return this.model.channels;
  }

  get numClasses(): number {
    return this.model.numClasses;
  }

  /** Of the weights that samples are drawn with, and of what their answers mean. */
  async fingerprint(): Promise<string> {
    const { config, betas } = this.found.checkpoint;
    const meaning = JSON.stringify([config.diffusion, betas === undefined ? [] : [...betas]]);
    return sha256(new TextEncoder().encode(`${await fingerprint(this.model)} ${meaning}`));
  }

  /** @throws one line, if a sampler cannot take a number of steps */
  ways(flags: EvaluateFlags): SampleWay[] {
    const { sampler: samplers, steps, guidance } = flags;
    if (guidance !== undefined && this.numClasses === 0) {
      throw new Error("--guidance: this model is not class-conditional");
    }
    const way = (sampler: SamplerName | undefined, steps: number | undefined): SampleWay => {
      const chosen = { sampler, steps, ...wayOf(flags) };
      const plan = this.#diffusion.plan(chosen);
      const settings = { ...chosen, condScale: condScaleOf(guidance) };
      return { sampler: plan.sampler, steps: plan.visited, evaluations: plan.steps.length, settings };
    };
    return (samplers ?? [undefined]).flatMap((sampler) => (steps ?? [undefined]).map((count) => way(sampler, count)));
  }

  /** Evaluations of the network, each on a batch, for so many samples. */
  evaluations({ evaluations }: SampleWay, number: number, ranks: Collective): number {
    return evaluations * roundsOf(number, ranks);
  }

  /**
   * Draws the first samples of a seed, those that `unnoise sample` draws. Several processes share them, and the first one
   * gets them all.
   */
  async draw(
    { settings }: SampleWay,
    { number, seed, classes, backend, signal, onStep }: DrawOptions,
    ranks: Collective = alone,
  ): Promise<{ readonly images: ImageBatch<Uint8Array>; readonly secondsFor64: number }> {
    const imageSize = this.imageSize;
    const size = imageSize[0] * imageSize[1] * this.model.channels;
    const data = new Uint8Array(number * size);
    const seconds: number[] = [];
    const start = performance.now();
    let [drawn, began] = [0, start];
    const options = { ...settings, number, seed, classes, imageSize, backend, signal, onStep };
    for await (const samples of drawBatches(this.#diffusion, this.model, options, ranks)) {
      const [count] = samples.shape;
      seconds.push(((performance.now() - began) / 1000) * (BATCH / count));
      data.set(byteImages(samples).data, drawn * size);
      drawn += count;
      began = performance.now();
    }
    if (ranks.rank === 0 && drawn < number) throw new StoppedElsewhere();
    // The batches of several processes arrive together.
    const isShared = ranks.size > 1;
    const secondsFor64 = isShared ? ((performance.now() - start) / 1000) * (BATCH / number) : median(seconds);
    return { images: { data, shape: [number, ...imageSize, this.model.channels] }, secondsFor64 };
  }
}

/** One of several processes was asked to stop, so that not all samples were drawn. */
export class StoppedElsewhere extends Error {
  constructor() {
    super("the samples were not all drawn: a process was asked to stop");
  }
}

/** Neither the first batch, which compiles, nor a pause of the machine moves it. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
