import type { ConvolutionKernel, ConvolutionShape, FilterGradientKernel } from "../../../../compiler/program.ts";
import type { TileSize } from "./scheme.ts";

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

/** Tiles of 4x4 for which transformed filters are worth reading: those of F(4x4) are 2.25 times as large as of F(2x2). */
const FEWEST_TILES = 64;
/** The same for what a part of a filter's gradient adds up. */
const FEWEST_TILES_OF_PART = 32;

/** The tiles by which a convolution or gradient takes the least time; none, where it does not go by Winograd's algorithm. */
export function chooseTile(kernel: ConvolutionKernel | FilterGradientKernel, strict: boolean): TileSize | undefined {
  if (!suitsWinograd(kernel.shape)) return undefined;
  const [rows, columns] = kernel.shape.output.map((n) => Math.ceil(n / 4));
  const tiles = kernel.shape.batch * rows * columns;
  const isLarge = kernel.kind === "convolution" ? tiles >= FEWEST_TILES : tiles >= FEWEST_TILES_OF_PART * kernel.parts;
  return isLarge && !strict ? 4 : 2;
}
