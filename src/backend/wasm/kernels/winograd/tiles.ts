import type { ConvolutionShape } from "../../../../compiler/program.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { LINE_BYTES } from "../../emit/addresses.ts";
import type { Count } from "../tasks.ts";
import type { Scheme } from "./scheme.ts";
import type { Squares } from "./transform.ts";

/** The part of a batch that one task computes: some images whole, or some rows of tiles of one. */
export interface TileBlock {
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
  /** Blocks of an image. */
  readonly blocks: number;
}

/** Tiles of a row or two, for which a task reads the filters at least. */
const FEWEST_TILES = 8;

/**
 * Blocks of about so many tiles, but not fewer blocks in a batch than `fewest`, if it has so many images. Where it has few,
 * they are cut so that there are half as many blocks, if these do not become too small.
 */
export function planTiles(shape: ConvolutionShape, { results }: Scheme, tiles: number, fewest: number): TileBlock {
  const [rows, columns] = shape.output.map((n) => Math.ceil(n / results));
  const share = Math.max(Math.ceil((2 * rows * shape.batch) / fewest), Math.ceil(FEWEST_TILES / columns));
  const most = Math.min(share, Math.max(1, Math.floor(tiles / columns)));
  if (most < rows) {
    const blocks = Math.ceil(rows / most);
    return { images: 1, rows: Math.ceil(rows / blocks), columns, blocks };
  }
  let images = Math.max(1, Math.min(Math.floor(tiles / (rows * columns)), Math.floor(shape.batch / fewest)));
  while (shape.batch % images !== 0) images--;
  return { images, rows, columns, blocks: 1 };
}

/** With zeros on the far sides, so that tiles fill the image. */
export function filledToTiles(shape: ConvolutionShape, { results }: Scheme): ConvolutionShape {
  const [[top, bottom], [left, right]] = shape.padding;
  const [missingRows, missingColumns] = shape.output.map((n) => Math.ceil(n / results) * results - n);
  const [below, beside] = [bottom + missingRows, right + missingColumns];
  return {
    ...shape,
    padding: [
      [top, below],
      [left, beside],
    ],
  };
}

/** Rows of pixels as rows of tiles. */
export function tileRowsOf({ value, values }: Count, { results }: Scheme): Count {
  const rows = values.map((n) => Math.ceil(n / results));
  return { value: i32.div_u(i32.add(value, results - 1), results), values: rows };
}

/** Where pixels lie as squares, one for each tile. */
export function pixelSquares(address: Integer, pitch: number, pixel: number, { results }: Scheme): Squares {
  return { address, row: pitch, column: pixel, next: results * pixel, below: results * pitch };
}

/** Where tiles lie with their elements `point` bytes apart: for each element, all tiles one after another. */
export function pointSquares(
  address: Integer,
  { point, step }: PointLayout,
  columns: number,
  { window }: Scheme,
): Squares {
  return { address, row: window * point, column: point, next: step, below: columns * step };
}

/** The bytes from tile to tile, and from one element of all tiles to the next. */
export interface PointLayout {
  readonly step: number;
  readonly point: number;
}

/** An odd number of cache lines from point to point, so that a tile's elements do not all fall into the same sets of a cache. */
export function pointLayout(tiles: number, step: number): PointLayout {
  const lines = Math.ceil((tiles * step) / LINE_BYTES);
  return { step, point: LINE_BYTES * (lines + ((lines + 1) % 2)) };
}

/** Bytes of a transformed pixel: whole pairs of vectors. */
export function pointBytes(channels: number): number {
  return 32 * Math.ceil(channels / 8);
}
