import type { ConvolutionShape } from "../../../../compiler/program.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import type { Integer } from "../../assembly/instruction.ts";
import type { Count } from "../tasks.ts";
import type { Squares } from "./transform.ts";

/** Products per tile of 2x2 results: one for each element of a transformed window of 4x4 pixels. */
export const POINTS = 16;
const POINTS_PER_ROW = 4;
const FEWEST_CHANNELS = 16;

/** Whether a convolution can go by Winograd's algorithm and is large enough to gain from it. */
export function suitsWinograd({
  kernel,
  strides,
  padding,
  output,
  inChannels,
  outChannels,
}: ConvolutionShape): boolean {
  return (
    kernel.every((n) => n === 3) &&
    strides.every((n) => n === 1) &&
    padding.every(([low, high]) => low === 1 && high === 1) &&
    output.every((n) => n >= 4) &&
    [inChannels, outChannels].every((n) => n >= FEWEST_CHANNELS && n % 4 === 0)
  );
}

/** The part of a batch that one task computes: some images whole, or some rows of tiles of one. */
export interface TileBlock {
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
  /** Blocks of an image. */
  readonly blocks: number;
}

/** Blocks of about so many tiles, but not fewer blocks in a batch than `fewest`, if it has so many images. */
export function planTiles(shape: ConvolutionShape, tiles: number, fewest: number): TileBlock {
  const [rows, columns] = shape.output.map((n) => Math.ceil(n / 2));
  if (rows * columns > tiles) {
    const blocks = Math.ceil(rows / Math.max(1, Math.floor(tiles / columns)));
    return { images: 1, rows: Math.ceil(rows / blocks), columns, blocks };
  }
  let images = Math.max(1, Math.min(Math.floor(tiles / (rows * columns)), Math.floor(shape.batch / fewest)));
  while (shape.batch % images !== 0) images--;
  return { images, rows, columns, blocks: 1 };
}

/** With zeros on the far sides, so that tiles fill the image. */
export function filledToTiles(shape: ConvolutionShape): ConvolutionShape {
  const [[top, bottom], [left, right]] = shape.padding;
  const [height, width] = shape.output;
  const [below, beside] = [bottom + (height % 2), right + (width % 2)];
  return {
    ...shape,
    padding: [
      [top, below],
      [left, beside],
    ],
  };
}

/** Rows of pixels as rows of tiles. */
export function tileRowsOf({ value, values }: Count): Count {
  return { value: i32.shr_u(i32.add(value, 1), 1), values: values.map((n) => Math.ceil(n / 2)) };
}

/** Where pixels lie as squares that start `step` pixels apart. */
export function pixelSquares(address: Integer, pitch: number, pixel: number): Squares {
  return { address, row: pitch, column: pixel, next: 2 * pixel, below: 2 * pitch };
}

/** Where tiles lie with their elements far apart: for each element, all tiles one after another. */
export function pointSquares(address: Integer, mostTiles: number, step: number, columns: number): Squares {
  const point = mostTiles * step;
  return { address, row: POINTS_PER_ROW * point, column: point, next: step, below: columns * step };
}

/** Bytes of a transformed pixel: whole pairs of vectors. */
export function pointBytes(channels: number): number {
  return 32 * Math.ceil(channels / 8);
}

/** Columns of a row of transformed filters, so that each starts where a 256-bit load fits into a cache line. */
export function paddedFilterColumns(outChannels: number): number {
  return Math.ceil(outChannels / 8) * 8;
}
