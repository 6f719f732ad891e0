import type { NdArray, SampleOptions } from "unnoise";
import type { Drawer } from "../common/drawer.ts";

export interface DenoisingSettings {
  readonly seed: number;
  readonly steps: number;
  /** 0 draws the same images from the same noise by one path; 1 adds fresh noise in every step, as DDPM does. */
  readonly eta: number;
  readonly batchSize: number;
  /** What to draw in each image; whatever comes without. */
  readonly classes?: readonly number[];
}

/** One moment of drawing. */
export interface Frame {
  /** x_t, [batch, height, width, channels]. */
  readonly images: NdArray;
  /** The clean images that the network saw in the ones before; those of the first guess for the noise at the start. */
  readonly guess: NdArray;
  /** The timestep at which the network was asked for them. */
  readonly timestep: number;
}

/** What `sample` is told: the same in the page, in the copied code and in the tests. */
export function denoisingOptions({ batchSize, classes, ...settings }: DenoisingSettings): SampleOptions {
  // As many images as there are classes.
  const what = classes === undefined ? { batchSize } : { classes, condScale: 1 };
  return { sampler: "ddim", ...settings, ...what, imageSize: 28 };
}

/**
 * Draws by DDIM and keeps every moment, steps + 1 of them: the noise first.
 *
 * @param onFrame is told of each as it comes
 */
export async function denoise(
  { model, diffusion, backend }: Drawer,
  settings: DenoisingSettings,
  signal?: AbortSignal,
  onFrame?: (frames: readonly Frame[]) => void,
): Promise<readonly Frame[]> {
  const guesses: Frame[] = [];
  const { steps: kept } = await diffusion.sample(model, {
    ...denoisingOptions(settings),
    backend,
    ...(signal && { signal }),
    returnSteps: [0],
    onStep: ({ images, xStart, timestep }) => {
      guesses.push({ images, guess: xStart, timestep });
      onFrame?.(guesses);
    },
  });
  const [{ guess, timestep }] = guesses;
  return [{ images: kept[0].images, guess, timestep }, ...guesses];
}
