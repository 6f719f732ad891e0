import { isNode } from "../../backend/opener.ts";
import { checkOptions } from "../../config/rules.ts";
import { torchGenerator } from "../../diffusion/randomness/torch-generator.ts";
import type { NoiseGenerator } from "../../diffusion/randomness/torch-generator.ts";
import type { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import type { SamplerName } from "../../diffusion/samplers/registry.ts";
import type { SamplingPlan } from "../../diffusion/samplers/plan.ts";
import type { SampleOptions, SamplerSettings } from "../../diffusion/sampling/sample.ts";
import type { Samples } from "../../diffusion/sampling/sampling.ts";
import { schedulerFromConfig } from "../../diffusion/schedulers/scheduler.ts";
import type { Scheduler, SchedulerName } from "../../diffusion/schedulers/scheduler.ts";
import type { DiffusionModel } from "../../models/model.ts";
import type { StorageDtype } from "../../tensor/half-storage.ts";
import { openSource, sourceOptionTypes } from "../source/open-source.ts";
import type { PretrainedLocation, SourceOptions } from "../source/open-source.ts";
import { loadModel } from "./model.ts";
import { pipelineClasses, readParts } from "./model-index.ts";
import type { PipelineClass } from "./model-index.ts";
import { configOf, pipelineFiles } from "./save.ts";
import type { SaveOptions } from "./save.ts";
import { converted } from "./samplers.ts";

export interface FromPretrainedOptions extends SourceOptions {
  /** Which of several sets of weights, such as `fp16`. */
  readonly variant?: string | undefined;
  /** What the network's weights take in memory, f32 unless given: f16 or bf16 to draw with. See `storedAs`. */
  readonly weights?: StorageDtype | undefined;
}

/** Those of `diffusion.sample`, with what Python's pipelines take where they are left out. */
export interface PipelineSampleOptions extends Omit<SampleOptions, "sampler" | "generator"> {
  /** Default 1. */
  readonly batchSize?: number;
  /** Default: the size that the network was made for. */
  readonly imageSize?: number | readonly [number, number];
  /** Default: 1000 of a DDPMPipeline, 50 of the others, but at most as many as there are timesteps. */
  readonly steps?: number;
  /**
   * Another scheduler than the folder's, by the name of the sampler or of diffusers' class, made of its config as diffusers
   * does it. Samplers that diffusers has not work as they do elsewhere here, and so do all with a `timestepSpacing`.
   */
  readonly sampler?: SamplerName | SchedulerName;
  /**
   * Where noise comes from. `torch`, the default: what Python draws for the seed, for the whole batch in one go. `threefry`:
   * as elsewhere here, so that image k of a seed is the same however many are drawn.
   */
  readonly generator?: "torch" | "threefry" | NoiseGenerator;
}

/** A network and the scheduler that it draws with. */
export interface PipelineParts {
  readonly model: DiffusionModel;
  readonly scheduler: Scheduler;
  /** Of diffusers; DDPMPipeline by default. */
  readonly className?: PipelineClass;
}

export interface SavePretrained {
  readonly savePretrained: (folder: string, files: ReadonlyMap<string, Uint8Array>) => Promise<void>;
}

// No literal in the import: a bundler for browsers would follow it.
const forNode = "./save.node.ts";

/**
 * A model as diffusers stores it: a network and how to draw with it.
 *
 * @example
 * const pipeline = await DiffusionPipeline.fromPretrained("google/ddpm-cifar10-32");
 * const images = await pipeline.sample({ batchSize: 16, steps: 50, sampler: "ddim", seed: 0 });
 */
export class DiffusionPipeline {
  readonly className: PipelineClass;
  /** A network as any other: `summary`, `stateDict`, and `Trainer` take it. */
  readonly model: DiffusionModel;
  readonly scheduler: Scheduler;
  /** What the scheduler's file says, without the defaults that it leaves out. */
  readonly #json: object;
  readonly #where: string;

  constructor({ model, scheduler, className = "DDPMPipeline" }: PipelineParts, json?: object, where?: string) {
    const { scheduler: as } = pipelineClasses[className];
    this.className = className;
    this.model = model;
    this.#json = json ?? scheduler.config;
    this.#where = where ?? "scheduler";
    this.scheduler = as === undefined ? scheduler : schedulerFromConfig(this.#json, this.#where, { as });
  }

  /**
   * Reads what `save_pretrained` of diffusers has written, or a repository of the hub.
   *
   * @param where see {@link PretrainedLocation}
   * @throws Error of one line that names the file and what there is not here, or is wrong with it
   */
  static async fromPretrained(
    where: PretrainedLocation,
    options: FromPretrainedOptions = {},
  ): Promise<DiffusionPipeline> {
    checkOptions("fromPretrained", options, { ...sourceOptionTypes, variant: "string", weights: "string" });
    const source = await openSource(where, options);
    const { className, unet, scheduler } = await readParts(source);
    // First what is small, so that what there is not here is said before anything large is fetched.
    const parts = { scheduler: schedulerFromConfig(scheduler.value, scheduler.where), className };
    const model = await loadModel(source, unet, options);
    return new DiffusionPipeline({ ...parts, model }, scheduler.value as object, scheduler.where);
  }

  /** The noise that the network was trained with, and what it predicts: what a `Trainer` takes. */
  get diffusion(): GaussianDiffusion {
    return this.scheduler.diffusion;
  }

  /** Height and width that the network was made for, where its config says so. */
  get imageSize(): readonly [number, number] | undefined {
    const { sample_size: size } = configOf(this.model);
    return typeof size === "number" ? [size, size] : ((size ?? undefined) as readonly [number, number] | undefined);
  }

  /**
   * What {@link sample} will do with these options, before anything runs.
   *
   * @throws one line, if the options do not go together
   */
  plan(options: Pick<PipelineSampleOptions, "sampler" | Exclude<keyof SamplerSettings, "sampler">> = {}): SamplingPlan {
    const { diffusion, settings } = this.#settingsFor(options);
    return diffusion.plan({ ...settings, ...ownOptions(options) });
  }

  /**
   * Draws images as the pipeline in Python does: the same ones for the same seed, up to rounding.
   *
   * @returns f32 [batchSize, height, width, channels], about [-1, 1]
   */
  async sample(options: PipelineSampleOptions = {}): Promise<Samples> {
    const { generator = "torch", seed, imageSize = this.imageSize, ...rest } = options;
    const { diffusion, settings } = this.#settingsFor(options);
    // Images that are given know their size.
    const size = (rest.start ?? rest.init ?? rest.image) ? {} : { imageSize };
    const random = randomness(generator, seed);
    return diffusion.sample(this.model, { batchSize: 1, ...size, ...settings, ...ownOptions(rest), ...random });
  }

  /** How the scheduler samples, or a sampler of ours that diffusers has not, or not as it is asked for. */
  #settingsFor({
    sampler,
    steps,
    timestepSpacing,
  }: Pick<PipelineSampleOptions, "sampler" | "steps" | "timestepSpacing">): {
    readonly diffusion: GaussianDiffusion;
    readonly settings: SamplerSettings;
  } {
    const count = steps ?? Math.min(pipelineClasses[this.className].steps, this.diffusion.timesteps);
    const find = (): Scheduler | undefined =>
      sampler === undefined ? this.scheduler : converted(this.#json, this.#where, sampler);
    const scheduler = timestepSpacing === undefined ? find() : undefined;
    if (scheduler) return { diffusion: scheduler.diffusion, settings: scheduler.settings(count) };
    return { diffusion: this.diffusion, settings: { sampler, steps: count } };
  }

  /**
   * The files of a diffusers folder by their paths: what {@link savePretrained} writes, and a page may offer.
   */
  async toFiles(options: SaveOptions = {}): Promise<Map<string, Uint8Array>> {
    return pipelineFiles(this, options);
  }

  /**
   * Writes a folder that `DDPMPipeline.from_pretrained` of diffusers reads, in Node.
   *
   * @throws Error of one line naming the file that cannot be written
   */
  async savePretrained(folder: string, options: SaveOptions = {}): Promise<void> {
    if (!isNode()) throw new Error("savePretrained: writes files in Node alone; toFiles() gives them in a page");
    const { savePretrained } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ forNode)) as SavePretrained;
    await savePretrained(folder, await this.toFiles(options));
  }

  /** Frees the memory of the network. */
  dispose(): void {
    this.diffusion.dispose();
    this.model.dispose();
  }
}

/** What is left once the scheduler has its part; what is undefined is left out. */
function ownOptions<Options extends Pick<PipelineSampleOptions, "sampler" | "steps">>(
  options: Options,
): Omit<Options, "sampler" | "steps"> {
  const { sampler: _, steps: __, ...own } = options;
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) as typeof own;
}

function randomness(
  generator: NonNullable<PipelineSampleOptions["generator"]>,
  seed: number | undefined,
): Pick<SampleOptions, "seed" | "generator"> {
  if (generator === "threefry") return seed === undefined ? {} : { seed };
  if (generator === "torch") return { generator: torchGenerator(seed ?? Math.floor(Math.random() * 2 ** 32)) };
  if (typeof generator !== "object") {
    throw new Error(`sample: generator must be torch, threefry or one that draws numbers, got ${String(generator)}`);
  }
  if (seed !== undefined) throw new Error("sample: takes a seed or a generator of its own, got both");
  return { generator };
}
