import type { ConvolutionKernel, ConvolutionShape } from "../../../../compiler/program.ts";
import { emitStrip } from "../convolution.ts";
import { KernelWriter } from "../kernel.ts";
import type { Emission, KernelCode } from "../kernel.ts";
import { emitElements } from "../map.ts";
import { paddedColumns, planPanels } from "../micro-kernel.ts";
import { addressAt, blockLength, emitProduct, isPlainStore } from "../tiles.ts";
import type { Count } from "../tiles.ts";
import { emitTransform, resultTransform, windowTransform } from "./transform.ts";
import type { Squares } from "./transform.ts";
import type { Code } from "../../emit/writer.ts";
import { add, get, i32 } from "../../emit/writer.ts";

/** Products per tile of 2x2 results: one for each element of a transformed window of 4x4 pixels. */
export const POINTS = 16;
const POINTS_PER_ROW = 4;
/** Tiles that one task works on, about: a transformed filter is read once for all of them. */
const TASK_TILES = 56;
const FEWEST_TASKS = 8;
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
export function tileRowsOf({ code, values }: Count): Count {
  return { code: `(i32.shr_u (i32.add ${code} ${i32(1)}) ${i32(1)})`, values: values.map((n) => Math.ceil(n / 2)) };
}

export function timesCount({ code, values }: Count, factor: number): Count {
  return { code: `(i32.mul ${code} ${i32(factor)})`, values: values.map((n) => n * factor) };
}

/** Where pixels lie as squares that start `step` pixels apart. */
export function pixelSquares(address: Code, pitch: number, pixel: number): Squares {
  return { address, row: pitch, column: pixel, next: 2 * pixel, below: 2 * pitch };
}

/** Where tiles lie with their elements far apart: for each element, all tiles one after another. */
export function pointSquares(address: Code, mostTiles: number, step: number, columns: number): Squares {
  const point = mostTiles * step;
  return { address, row: POINTS_PER_ROW * point, column: point, next: step, below: columns * step };
}

/** Bytes of a transformed pixel: whole pairs of vectors. */
export function pointBytes(channels: number): number {
  return 32 * Math.ceil(channels / 8);
}

/**
 * Convolution with 3x3 filters by Winograd's F(2x2, 3x3) (Lavin & Gray 2015, 1509.09308): windows of 4x4 pixels are
 * transformed, multiplied by transformed filters, 16 products for what takes 36, and transformed back to 2x2 results.
 * `weight` holds the transformed filters, [16, in, out]. A pixel that is not finite makes NaN of all results that share a
 * window with it.
 */
export function emitWinograd(kernel: ConvolutionKernel, emission: Emission): KernelCode {
  const target = new KernelWriter(emission);
  const { writer } = target;
  const { shape, stores, axes } = kernel;
  const { inChannels, outChannels } = shape;
  const [height, width] = shape.output;
  const panels = planPanels(outChannels, emission.wide);
  const padded = paddedColumns(panels);
  const block = planTiles(shape, TASK_TILES, Math.ceil(FEWEST_TASKS / emission.runs));
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = 2 * block.rows;

  const first = get(writer.bind("i32", `(i32.mul (i32.rem_u (local.get $task) ${i32(block.blocks)}) ${i32(most)})`));
  const firstImage = get(
    writer.bind("i32", `(i32.mul (i32.div_u (local.get $task) ${i32(block.blocks)}) ${i32(images)})`),
  );
  const rows = blockLength(writer, height, Math.min(most, height), first);
  const tileRows = tileRowsOf(rows);
  const perImage = get(writer.bind("i32", timesCount(tileRows, columns).code));
  const [windowStep, productStep] = [pointBytes(inChannels), 4 * padded];
  const windows = get(writer.bind("i32", target.scratch(POINTS * mostTiles * windowStep)));
  const products = get(writer.bind("i32", target.scratch(POINTS * mostTiles * productStep)));
  const tilesAt = (address: Code, image: string, step: number): Squares =>
    pointSquares(add(address, `(i32.mul (i32.mul ${get(image)} ${perImage}) ${i32(step)})`), mostTiles, step, columns);

  writer.loop(i32(0), i32(images), 1, (i) => {
    const image = get(writer.bind("i32", add(firstImage, get(i))));
    const strip = emitStrip(target, kernel.input, filledToTiles(shape), { image, first, rows, most });
    emitTransform(writer, windowTransform, {
      rows: tileRows.code,
      columns,
      vectors: windowStep / 16,
      from: pixelSquares(strip.address, strip.pitch, 4 * inChannels),
      to: tilesAt(windows, i, windowStep),
    });
  });

  const weightStep = 4 * paddedFilterColumns(outChannels);
  writer.loop(i32(0), i32(POINTS), 1, (point) => {
    emitProduct(target, {
      count: timesCount(tileRows, columns * images),
      rows: {
        kind: "strided",
        first: add(windows, `(i32.mul ${get(point)} ${i32(mostTiles * windowStep)})`),
        step: windowStep,
      },
      panels,
      accumulates: false,
      rhs: add(get(target.baseOf(kernel.weight)), `(i32.mul ${get(point)} ${i32(inChannels * weightStep)})`),
      out: add(products, `(i32.mul ${get(point)} ${i32(mostTiles * productStep)})`),
      outStep: productStep,
      inner: {
        lhsStep: i32(4),
        rhsStep: i32(weightStep),
        count: i32(inChannels),
        segments: i32(1),
        lhsJump: i32(0),
      },
    });
  });

  const direct = isPlainStore(stores) && height % 2 === 0 && width % 2 === 0;
  const pixel = 4 * (direct ? outChannels : padded);
  const pitch = pixel * 2 * columns;
  const results = direct ? "" : get(writer.bind("i32", target.scratch(most * pitch)));
  writer.loop(i32(0), i32(images), 1, (i) => {
    const image = get(writer.bind("i32", add(firstImage, get(i))));
    const out = direct ? addressAt(get(target.baseOf(stores[0].buffer)), stores[0].index, [image, first]) : results;
    emitTransform(writer, resultTransform, {
      rows: tileRows.code,
      columns,
      vectors: pixel / 16,
      from: tilesAt(products, i, productStep),
      to: pixelSquares(out, pitch, pixel),
    });
    if (direct) return;
    const base = writer.bind("i32", `(i32.sub ${results} (i32.mul ${first} ${i32(pitch)}))`);
    target.result = { base, index: { offset: 0, coefficients: [0, pitch / 4, padded, 1] } };
    const end = get(writer.bind("i32", `(i32.add ${first} ${rows.code})`));
    emitElements(writer, { axes, stores, sources: target, ranges: [{ start: image }, { start: first, end }] });
  });
  return target.finish((shape.batch / images) * block.blocks);
}

/** Columns of a row of transformed filters, so that each starts where a 256-bit load fits into a cache line. */
export function paddedFilterColumns(outChannels: number): number {
  return Math.ceil(outChannels / 8) * 8;
}
