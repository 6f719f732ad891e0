import type { ConvolutionKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { plus } from "../../emit/addresses.ts";
import { packRows } from "../factors.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { loadedBuffer, imageLayout } from "./transform-kernel.ts";
import { emitResults } from "./results.ts";
import { schemes } from "./scheme.ts";
import type { TileSize } from "./scheme.ts";
import { planTiles, pointLayout, tileRowsOf } from "./tiles.ts";
import { emitTransform, transformsOf } from "./transform.ts";
import { emitProduct } from "../tiles.ts";
import { blockLength, timesCount } from "../tasks.ts";

/** Tiles that one task works on, at most: as many as use a transformed filter. */
const TASK_TILES = 64;
/** Out channels that one task works on, about. */
const TASK_CHANNELS = 64;

/** Equal blocks of out channels that fill vectors, as wide as a task may take. */
export function channelsPerTask(channels: number): number {
  let width = Math.min(channels, TASK_CHANNELS);
  while (width > 4 && (channels % width !== 0 || width % 4 !== 0)) width--;
  return width;
}

/**
 * Convolution by Winograd's algorithm where there are many channels and few pixels: most of the work is then to read and
 * transform filters. A task transforms those for some out channels, one row of points at a time, which then stay in the cache
 * while all tiles are multiplied by them. Images were transformed ahead.
 */
export function emitWideWinograd(kernel: ConvolutionKernel, tile: TileSize, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape } = kernel;
  const { inChannels, outChannels } = shape;
  const scheme = schemes[tile];
  const transforms = transformsOf(scheme);
  const { relaxed } = options.microKernels;
  const [height] = shape.output;
  const width = channelsPerTask(outChannels);
  const panels = planPanels(width, options.wide);
  const padded = paddedColumns(panels);
  const block = planTiles(shape, scheme, TASK_TILES, 1);
  const { images, columns } = block;
  const most = scheme.results * block.rows;
  const tileBlocks = (shape.batch / images) * block.blocks;

  const tileBlock = code.keep(i32.rem_u(task, tileBlocks));
  const channel = code.keep(i32.mul(i32.div_u(task, tileBlocks), width));
  const firstTileRow = code.keep(i32.mul(i32.rem_u(tileBlock, block.blocks), block.rows));
  const first = code.keep(i32.mul(firstTileRow, scheme.results));
  const firstImage = code.keep(i32.mul(i32.div_u(tileBlock, block.blocks), images));
  const rows = blockLength(code, height, Math.min(most, height), first);
  const tileRows = tileRowsOf(rows, scheme);

  const layout = imageLayout(shape, tile, inChannels);
  const rowsOfImage = Math.ceil(height / scheme.results);
  const firstTile = i32.mul(i32.add(i32.mul(firstImage, rowsOfImage), firstTileRow), columns);
  const windows = code.local("i32", plus(target.baseOf(loadedBuffer(kernel.input)), i32.mul(firstTile, layout.step)));
  const productLayout = pointLayout(images * block.rows * columns, 4 * padded);
  const products = code.local("i32", target.scratch(scheme.points * productLayout.point));
  // Filters for a row of points.
  const filterLayout = pointLayout(inChannels, 4 * padded);
  const filters = code.local("i32", target.scratch(scheme.window * filterLayout.point));
  const weight = code.local("i32", plus(target.baseOf(kernel.weight), i32.mul(channel, 4)));
  // Taps lie far apart, on a page each: they are brought together once for all rows of points.
  const taps = packRows(target, { address: weight, step: 4 * outChannels }, 9 * inChannels, 9 * inChannels, width);
  const tap = inChannels * taps.step;

  transforms.filterRows.forEach((transform, row) => {
    emitTransform(code, transform, {
      rows: 1,
      columns: inChannels,
      vectors: width / 4,
      relaxed,
      from: { address: taps.address, row: 3 * tap, column: tap, next: taps.step, below: 0 },
      to: { address: filters, row: 0, column: filterLayout.point, next: filterLayout.step, below: 0 },
    });
    code.countUp(0, scheme.window, 1, (column) => {
      const at = (address: Integer, bytes: number): Integer =>
        plus(address, plus(i32.mul(column, bytes), row * scheme.window * bytes));
      emitProduct(target, {
        count: timesCount(tileRows, columns * images),
        rows: { kind: "strided", first: at(windows, layout.point), step: layout.step },
        panels,
        accumulates: false,
        rhs: plus(filters, i32.mul(column, filterLayout.point)),
        out: at(products, productLayout.point),
        outStep: productLayout.step,
        inner: { lhsStep: 4, rhsStep: filterLayout.step, count: inChannels, segments: 1, lhsJump: 0 },
      });
    });
  });
  emitResults(target, kernel, {
    scheme,
    relaxed,
    block,
    firstImage,
    first,
    rows,
    products,
    layout: productLayout,
    channels: { first: channel, count: width, padded },
  });
  return target.finish(tileBlocks * (outChannels / width));
}
