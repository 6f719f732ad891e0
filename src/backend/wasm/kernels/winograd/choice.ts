import type { ConvolutionKernel, ConvolutionShape, FilterGradientKernel } from "../../../../compiler/program.ts";
import type { TileSize } from "./scheme.ts";
import { channelsPerTask } from "./wide-convolution.ts";

const FEWEST_CHANNELS = 16;

/** Whether a convolution can go by Winograd's algorithm. */
function suitsWinograd({ kernel, strides, padding, output, inChannels, outChannels }: ConvolutionShape): boolean {
  return (
    kernel.every((n) => n === 3) &&
    strides.every((n) => n === 1) &&
    padding.every(([low, high]) => low === 1 && high === 1) &&
    output.every((n) => n >= 4) &&
    [inChannels, outChannels].every((n) => n >= FEWEST_CHANNELS && n % 4 === 0)
  );
}

/** How a convolution or gradient goes by Winograd's algorithm. */
export interface Algorithm {
  readonly tile: TileSize;
  /** What is transformed by kernels of its own. Where images are, tasks share channels out. */
  readonly ahead: "filters" | "images" | undefined;
}

/** Tiles of 4x4 in a batch. */
function tilesOf({ batch, output }: ConvolutionShape): number {
  return output.reduce((count, n) => count * Math.ceil(n / 4), batch);
}

/** Tiles for which transforming an image takes as long as transforming a filter: half of what channels are on average. */
function balance({ inChannels, outChannels }: ConvolutionShape): number {
  return (inChannels * outChannels) / (inChannels + outChannels);
}

/** Fewer out channels in a task do not fill the panels of a product. */
const FEWEST_TASK_CHANNELS = 32;

function canBeWide(shape: ConvolutionShape): boolean {
  const fills = [shape.inChannels, shape.outChannels].every((n) => channelsPerTask(n) >= FEWEST_TASK_CHANNELS);
  return suitsWinograd(shape) && fills;
}

/** Multiples of `balance` up to which it is faster to transform images ahead than filters, or to add up a gradient whole. */
const WIDE_CONVOLUTION = 1;
const WIDE_GRADIENT = 2;

/** Whether the gradient of filters is best shared out by channels and not by parts of a batch. */
export function isWideGradient(shape: ConvolutionShape): boolean {
  return canBeWide(shape) && tilesOf(shape) <= WIDE_GRADIENT * balance(shape);
}

/** Tiles of 4x4 for which transformed filters are worth reading: those of F(4x4) are 2.25 times as large as of F(2x2). */
const FEWEST_TILES = 64;
/** The same for what a part of a filter's gradient adds up. */
const FEWEST_TILES_OF_PART = 32;

/** The algorithm by which a convolution or gradient takes the least time; none, where it does not go by Winograd's. */
export function chooseAlgorithm(
  kernel: ConvolutionKernel | FilterGradientKernel,
  strict: boolean,
): Algorithm | undefined {
  const { shape } = kernel;
  if (!suitsWinograd(shape)) return undefined;
  const tiles = tilesOf(shape);
  if (kernel.kind === "filterGradient") {
    if (kernel.parts === 1 && isWideGradient(shape)) return { tile: strict ? 2 : 4, ahead: "images" };
    return { tile: strict || tiles < FEWEST_TILES_OF_PART * kernel.parts ? 2 : 4, ahead: undefined };
  }
  if (canBeWide(shape) && tiles <= WIDE_CONVOLUTION * balance(shape) && !strict) return { tile: 4, ahead: "images" };
  return { tile: strict || tiles < FEWEST_TILES ? 2 : 4, ahead: "filters" };
}
