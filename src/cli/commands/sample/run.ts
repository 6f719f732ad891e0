import { diffusionFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { heightAndWidth } from "../../../config/image-size.ts";
import { openEdits } from "../../flags/drawing/editing.ts";
import { wantedOf } from "../../flags/drawing/guiding.ts";
import { checkPretrainedFlags } from "../../flags/pretrained.ts";
import { loadModel } from "../../flags/model.ts";
import { wayOf } from "../../flags/drawing/way.ts";
import { fromFirst } from "../../ranks/from-first.ts";
import { joinRanks } from "../../ranks/ranks.ts";
import { drawBatches, roundsOf } from "../../output/draw-batches.ts";
import { animationSteps } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";
import { drawInto } from "./draw.ts";
import type { SampleFlags } from "./sample-flags.ts";
import { outputOf } from "./output.ts";

/**
 * Draws images and writes them. What cannot be written is refused before anything is drawn.
 *
 * @returns the exit code
 */
export async function sampleRun(flags: SampleFlags): Promise<number> {
  const ranks = await joinRanks();
  const seed = await fromFirst(ranks, () => flags.seed ?? Math.floor(Math.random() * 2 ** 32));
  const output = await outputOf(flags, seed);
  checkPretrainedFlags(flags);
  if (flags.pretrained !== undefined) {
    const { samplePretrained } = await import("./pretrained.ts");
    return samplePretrained(flags.pretrained, flags, { output, seed, ranks });
  }
  const knowsClasses = flags.class !== undefined && flags.classifier === undefined;
  const { checkpoint } = await announcedCheckpoint(flags.checkpoint, { knowsClasses });
  const { number, classes, columns, guidance } = await wantedOf(flags, checkpoint);
  const diffusion = diffusionFromCheckpoint(checkpoint);
  const { steps, sampler } = flags;
  const chosen = { steps, sampler, ...wayOf(flags) };
  const size = sizeOf(flags, checkpoint);
  const { visited } = diffusion.plan(chosen);
  const edits = await openEdits(flags, size, visited);
  const way = { ...chosen, ...guidance, ...edits };
  const all = diffusion.plan(way).steps.length;
  const returnSteps = output.animates ? animationSteps(all) : [];
  if (ranks.rank === 0) await output.prepare({ number, columns, ...size, frames: returnSteps.length }, print);
  const model = await loadModel(checkpoint, flags);

  const imageSize = [size.height, size.width] as const;
  const options = { number, classes, seed, imageSize, ...way, returnSteps };
  const drawing = { number, seed, evaluations: all * roundsOf(number, ranks) };
  return drawInto(output, drawing, flags, ranks, (backend, signal, onStep) =>
    drawBatches(diffusion, model, { ...options, backend, signal, onStep }, ranks),
  );
}

/** The size of the images that are drawn: the one that is asked for, or that of the images which the model has seen. */
function sizeOf({ imageSize }: SampleFlags, { config: { dataset } }: Checkpoint) {
  const [height, width] = imageSize === undefined ? [dataset.height, dataset.width] : heightAndWidth(imageSize);
  return { height, width, channels: dataset.channels };
}
