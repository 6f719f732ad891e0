import type { ConvolutionKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { addressAt, plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { emitElements } from "../map.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { isPlainStore } from "../plain.ts";
import { emitStrip } from "../strip.ts";
import { blockLength, timesCount } from "../tasks.ts";
import { emitProduct } from "../tiles.ts";
import {
  POINTS,
  filledToTiles,
  paddedFilterColumns,
  pixelSquares,
  planTiles,
  pointBytes,
  pointSquares,
  tileRowsOf,
} from "./tiles.ts";
import { emitTransform, resultTransform, windowTransform } from "./transform.ts";
import type { Squares } from "./transform.ts";

/** Tiles that one task works on, about: a transformed filter is read once for all of them. */
const TASK_TILES = 56;
const FEWEST_TASKS = 8;

/**
 * Convolution with 3x3 filters by Winograd's F(2x2, 3x3) (Lavin & Gray 2015, 1509.09308): windows of 4x4 pixels are
 * transformed, multiplied by transformed filters, 16 products for what takes 36, and transformed back to 2x2 results.
 * `weight` holds the transformed filters, [16, in, out]. A pixel that is not finite makes NaN of all results that share a
 * window with it.
 */
export function emitWinograd(kernel: ConvolutionKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape, stores, axes } = kernel;
  const { inChannels, outChannels } = shape;
  const [height, width] = shape.output;
  const panels = planPanels(outChannels, options.wide);
  const padded = paddedColumns(panels);
  const block = planTiles(shape, TASK_TILES, Math.ceil(FEWEST_TASKS / options.runs));
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = 2 * block.rows;

  const first = code.keep(i32.mul(i32.rem_u(task, block.blocks), most));
  const firstImage = code.keep(i32.mul(i32.div_u(task, block.blocks), images));
  const rows = blockLength(code, height, Math.min(most, height), first);
  const tileRows = tileRowsOf(rows);
  const perImage = code.local("i32", timesCount(tileRows, columns).value);
  const [windowStep, productStep] = [pointBytes(inChannels), 4 * padded];
  const windows = code.local("i32", target.scratch(POINTS * mostTiles * windowStep));
  const products = code.local("i32", target.scratch(POINTS * mostTiles * productStep));
  const tilesAt = (address: Integer, image: Integer, step: number): Squares =>
    pointSquares(plus(address, i32.mul(i32.mul(image, perImage), step)), mostTiles, step, columns);

  code.countUp(0, images, 1, (i) => {
    const image = code.local("i32", plus(firstImage, i));
    const strip = emitStrip(target, kernel.input, filledToTiles(shape), { image, first, rows, most });
    emitTransform(code, windowTransform, {
      rows: tileRows.value,
      columns,
      vectors: windowStep / 16,
      from: pixelSquares(strip.address, strip.pitch, 4 * inChannels),
      to: tilesAt(windows, i, windowStep),
    });
  });

  const weightStep = 4 * paddedFilterColumns(outChannels);
  code.countUp(0, POINTS, 1, (point) => {
    emitProduct(target, {
      count: timesCount(tileRows, columns * images),
      rows: {
        kind: "strided",
        first: plus(windows, i32.mul(point, mostTiles * windowStep)),
        step: windowStep,
      },
      panels,
      accumulates: false,
      rhs: plus(target.baseOf(kernel.weight), i32.mul(point, inChannels * weightStep)),
      out: plus(products, i32.mul(point, mostTiles * productStep)),
      outStep: productStep,
      inner: {
        lhsStep: 4,
        rhsStep: weightStep,
        count: inChannels,
        segments: 1,
        lhsJump: 0,
      },
    });
  });

  const direct = isPlainStore(stores) && height % 2 === 0 && width % 2 === 0;
  const pixel = 4 * (direct ? outChannels : padded);
  const pitch = pixel * 2 * columns;
  const results = direct ? undefined : code.local("i32", target.scratch(most * pitch));
  code.countUp(0, images, 1, (i) => {
    const image = code.local("i32", plus(firstImage, i));
    const out = results ?? addressAt(target.baseOf(stores[0].buffer), stores[0].index, [image, first]);
    emitTransform(code, resultTransform, {
      rows: tileRows.value,
      columns,
      vectors: pixel / 16,
      from: tilesAt(products, i, productStep),
      to: pixelSquares(out, pitch, pixel),
    });
    if (!results) return;
    const base = code.keep(i32.sub(results, i32.mul(first, pitch)));
    target.result = { base, index: { offset: 0, coefficients: [0, pitch / 4, padded, 1] } };
    const end = code.keep(i32.add(first, rows.value));
    emitElements(code, { axes, stores, sources: target, ranges: [{ start: image }, { start: first, end }] });
  });
  return target.finish((shape.batch / images) * block.blocks);
}
