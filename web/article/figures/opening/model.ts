import { toBytes } from "unnoise";
import type { NdArray } from "unnoise";
import type { Drawer } from "../common/drawer.ts";
import { denoise } from "../denoising/model.ts";
import type { Moment } from "./moments.ts";
import { openingSettings } from "./settings.ts";

/**
 * Draws garments of all classes, and keeps every moment, the noise first.
 *
 * @param onMoment is told of each after the first as it comes
 */
export async function drawMoments(
  drawer: Drawer,
  seed: number,
  signal?: AbortSignal,
  onMoment?: (moment: Moment, step: number) => void,
): Promise<readonly Moment[]> {
  const frames = await denoise(drawer, openingSettings(seed), signal, (coming) => {
    onMoment?.(momentOf(coming[coming.length - 1].images), coming.length);
  });
  return frames.map(({ images }) => momentOf(images));
}

function momentOf({ data }: NdArray): Moment {
  return toBytes(Float32Array.from(data));
}
