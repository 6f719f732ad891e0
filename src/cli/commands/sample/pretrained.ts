import { heightAndWidth } from "../../../config/image-size.ts";
import { DiffusionPipeline } from "../../../pretrained/pipeline/pipeline.ts";
import { torchGenerator } from "../../../diffusion/randomness/torch-generator.ts";
import { openEdits } from "../../flags/drawing/editing.ts";
import { pretrainedOptions } from "../../flags/pretrained.ts";
import { wayOf } from "../../flags/drawing/way.ts";
import { animationSteps } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { drawInto } from "./draw.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { Output } from "./output.ts";
import type { SampleFlags } from "./sample-flags.ts";

/** Images where nobody asks for a number. */
const FEW_IMAGES = 16;
/** Pixels that are drawn at a time, so that large images fit into memory. */
const MOST_PIXELS = 64 * 32 * 32;

/** Flags of checkpoints of unnoise. */
const OTHERS = {
  checkpoint: "--checkpoint",
  class: "--class",
  guidance: "--guidance",
  rescalePhi: "--rescale-phi",
  classifier: "--classifier",
} as const;

/**
 * Draws with a pipeline of diffusers. The images of a seed are those of Python for as many at a time.
 *
 * @returns the exit code
 */
export async function samplePretrained(
  place: string,
  flags: SampleFlags,
  { output, seed, ranks }: { readonly output: Output; readonly seed: number; readonly ranks: Ranks },
): Promise<number> {
  // One generator draws the noise of all images, one after the other.
  if (ranks.size > 1) throw new Error(`--pretrained: draws in one process, got ${ranks.size}`);
  for (const [name, flag] of Object.entries(OTHERS)) {
    if (flags[name as keyof typeof OTHERS] !== undefined) throw new Error(`${flag}: does not go with --pretrained`);
  }
  const pipeline = await DiffusionPipeline.fromPretrained(place, {
    ...pretrainedOptions(flags, print),
    weights: flags.weights,
  });
  print(`${pipeline.className} ${place}, ${pipeline.scheduler.className}`);
  const { number = FEW_IMAGES, steps, sampler } = flags;
  const [height, width] = sizeOf(pipeline, flags);
  const size = { height, width, channels: pipeline.model.channels };
  const given = { steps, sampler, ...wayOf(flags) };
  const edits = await openEdits(flags, size, pipeline.plan(given).visited);
  const way = { ...given, ...edits };
  const evaluations = pipeline.plan(way).steps.length;
  const returnSteps = output.animates ? animationSteps(evaluations) : [];
  await output.prepare({ number, ...size, frames: returnSteps.length }, print);
  const most = Math.max(1, Math.floor(MOST_PIXELS / (height * width)));
  const generator = torchGenerator(seed);
  const all = { number, seed, evaluations: evaluations * Math.ceil(number / most) };
  return drawInto(output, all, flags, ranks, async function* (backend, signal, onStep) {
    for (let drawn = 0; drawn < number; drawn += most) {
      const before = (drawn / most) * evaluations;
      const batchSize = Math.min(most, number - drawn);
      const onBatchStep = ({ step }: { readonly step: number }): void => onStep(before + step);
      const imageSize = [height, width] as const;
      const options = { ...way, batchSize, imageSize, generator, returnSteps, backend, signal };
      yield await pipeline.sample({ ...options, onStep: onBatchStep });
    }
  });
}

function sizeOf(pipeline: DiffusionPipeline, { imageSize }: SampleFlags): readonly [number, number] {
  const size = imageSize === undefined ? pipeline.imageSize : heightAndWidth(imageSize);
  if (size) return size;
  throw new Error("--image-size: must be given, as the model does not say what size its images are");
}
