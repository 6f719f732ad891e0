import type { InterpolationMethod } from "../../../diffusion/sampling/interpolation.ts";
import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { diffusionFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { endClasses } from "../../flags/drawing/guiding.ts";
import { loadModel } from "../../flags/model.ts";
import type { ModelFlags } from "../../flags/model.ts";
import { wayOf } from "../../flags/drawing/way.ts";
import type { WayFlags } from "../../flags/drawing/way.ts";
import { openImage } from "../../flags/images/open-image.ts";
import { checkGridSize, writeAnimation, writeGrid } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import type { ProgressBar } from "../../output/progress.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";
import { animationTarget, checkPlaces, pictureTarget } from "../../output/targets.ts";

export interface InterpolateFlags extends DeviceFlags, ModelFlags, WayFlags {
  readonly number: number;
  readonly method: InterpolationMethod;
  readonly strength?: number;
  readonly steps?: number;
  /** Of both images, or of each with a comma between: names or numbers. */
  readonly class?: string;
  readonly sampler?: SamplerName;
  readonly seed?: number;
  readonly resize?: boolean;
  /** True for a name that follows from the picture's. */
  readonly gif?: string | boolean;
  readonly scale?: number;
  readonly out: string;
}

/** Draws the images between two and writes them as a row. */
export async function interpolateRun(a: string, b: string, flags: InterpolateFlags): Promise<void> {
  const picture = pictureTarget(flags.out);
  const target = { picture, animation: animationTarget(picture, flags.gif) };
  await checkPlaces(target);
  const { checkpoint } = await announcedCheckpoint(flags.checkpoint, { knowsClasses: flags.class !== undefined });
  const ofClasses = endClasses(flags.class, checkpoint);
  const [from, to] = await Promise.all(
    [a, b].map((image) => openImage(image, checkpoint.config.dataset, flags.resize ?? false)),
  );
  const { height, width, channels } = checkpoint.config.dataset;
  checkGridSize(picture, [flags.number, height, width, channels], { columns: flags.number, scale: flags.scale });
  if (target.animation !== undefined) {
    const frames = 2 * flags.number - 2;
    checkGridSize(target.animation, [1, height, width, channels], { scale: flags.scale }, frames);
  }
  const diffusion = diffusionFromCheckpoint(checkpoint);
  const model = await loadModel(checkpoint, flags);
  const { number, method, strength, steps, sampler, seed } = flags;
  const lam = Array.from({ length: number }, (_, i) => i / (number - 1));
  const way = { ...wayOf(flags), method, lam, strength, steps, sampler, seed, ...ofClasses };
  let bar: ProgressBar | undefined;
  const row = await withDevice(flags, async (backend) => {
    try {
      return await diffusion.interpolate(model, from, to, {
        ...way,
        backend,
        onStep: async ({ step, steps: all }) => {
          bar ??= await progressBar(all);
          bar.show(step);
        },
      });
    } finally {
      bar?.stop();
    }
  });
  await writeGrid(target.picture, row, { columns: number, scale: flags.scale });
  print(`wrote ${target.picture}`);
  if (target.animation === undefined) return;
  const images = imagesOf(row);
  await writeAnimation(target.animation, [...images, ...images.slice(1, -1).toReversed()], { scale: flags.scale });
  print(`wrote ${target.animation}`);
}

function imagesOf({ data, shape: [count, ...image], dtype }: NdArray): NdArray[] {
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => ({
    data: data.subarray(i * size, (i + 1) * size),
    shape: [1, ...image],
    dtype,
  }));
}
