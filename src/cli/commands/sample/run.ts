import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { heightAndWidth } from "../../../config/image-size.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import type { TimestepSpacing } from "../../../diffusion/process/timestep-spacing.ts";
import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import type { Samples } from "../../../diffusion/sampling/sampling.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { openEdits } from "../../flags/editing.ts";
import type { EditingFlags } from "../../flags/editing.ts";
import { wantedOf } from "../../flags/guiding.ts";
import type { GuidingFlags } from "../../flags/guiding.ts";
import { EXIT_INTERRUPTED } from "../../interrupt.ts";
import { fromFirst } from "../../ranks/from-first.ts";
import { interruptOf, joinRanks } from "../../ranks/ranks.ts";
import { drawBatches, roundsOf } from "../../output/draw-batches.ts";
import { formatCount } from "../../output/format.ts";
import { animationSteps } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";
import { outputOf } from "./output.ts";
import type { OutputFlags } from "./output.ts";

export interface SampleFlags extends DeviceFlags, EditingFlags, GuidingFlags, OutputFlags {
  readonly checkpoint?: string;
  readonly imageSize?: ImageSize;
  readonly seed?: number;
  readonly steps?: number;
  readonly sampler?: SamplerName;
  readonly timestepSpacing?: TimestepSpacing;
  readonly eta?: number;
  readonly ema: boolean;
}

/**
 * Draws images and writes them. What cannot be written is refused before anything is drawn.
 *
 * @returns the exit code
 */
export async function sampleRun(flags: SampleFlags): Promise<number> {
  const ranks = await joinRanks();
  const seed = await fromFirst(ranks, () => flags.seed ?? Math.floor(Math.random() * 2 ** 32));
  const output = await outputOf(flags, seed);
  const knowsClasses = flags.class !== undefined && flags.classifier === undefined;
  const { checkpoint } = await announcedCheckpoint(flags.checkpoint, { knowsClasses });
  const { number, classes, columns, guidance } = await wantedOf(flags, checkpoint);
  const diffusion = diffusionFromCheckpoint(checkpoint);
  const { steps, sampler, eta, timestepSpacing } = flags;
  const size = sizeOf(flags, checkpoint);
  const { visited } = diffusion.plan({ steps, sampler, eta, timestepSpacing });
  const edits = await openEdits(flags, size, visited);
  const way = { steps, sampler, eta, timestepSpacing, ...guidance, ...edits };
  const all = diffusion.plan(way).steps.length;
  const returnSteps = output.animates ? animationSteps(all) : [];
  if (ranks.rank === 0) await output.prepare({ number, columns, ...size, frames: returnSteps.length }, print);
  const model = await modelFromCheckpoint(checkpoint, { ema: flags.ema });

  const interrupt = interruptOf(ranks, () => print("Stopping after this step."));
  const bar = await progressBar(all * roundsOf(number, ranks));
  let drawn = 0;
  try {
    await withDevice(flags, async (backend) => {
      const { signal } = interrupt;
      const imageSize = [size.height, size.width] as const;
      const onStep = (done: number): void => bar.show(done);
      const options = { number, classes, seed, imageSize, ...way, backend, signal, returnSteps, onStep };
      for await (const batch of drawBatches(diffusion, model, options, ranks)) {
        await output.add(batch);
        drawn += countOf(batch);
      }
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
  } finally {
    bar.stop();
    interrupt.release();
  }
  if (ranks.rank !== 0) return 0;
  const written = await output.finish();
  if (drawn < number) print(`Stopped with ${formatCount(drawn)} of ${formatCount(number)} images drawn.`);
  for (const path of written) print(`wrote ${path}`);
  print(`seed ${seed}`);
  return drawn < number ? EXIT_INTERRUPTED : 0;
}

/** The size of the images that are drawn: the one that is asked for, or that of the images which the model has seen. */
function sizeOf({ imageSize }: SampleFlags, { config: { dataset } }: Checkpoint) {
  const [height, width] = imageSize === undefined ? [dataset.height, dataset.width] : heightAndWidth(imageSize);
  return { height, width, channels: dataset.channels };
}

function countOf({ shape }: Samples): number {
  return shape[0];
}
