import type { ConvolutionKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { emitStrip } from "../strip.ts";
import { blockLength, timesCount } from "../tasks.ts";
import { emitProduct } from "../tiles.ts";
import { emitResults } from "./results.ts";
import { schemes } from "./scheme.ts";
import type { TileSize } from "./scheme.ts";
import { filledToTiles, pixelSquares, planTiles, pointBytes, pointLayout, pointSquares, tileRowsOf } from "./tiles.ts";
import type { PointLayout } from "./tiles.ts";
import { filterLayout } from "./transform-kernel.ts";
import { emitTransform, transformsOf } from "./transform.ts";
import type { Squares } from "./transform.ts";

/** Tiles that one task works on, about: a transformed filter is read once for all of them. */
const TASK_TILES = { 2: 56, 4: 28 } as const;
const FEWEST_TASKS = 8;

/**
 * Convolution with 3x3 filters by Winograd's algorithm (Lavin & Gray 2015, 1509.09308): windows of pixels are transformed,
 * multiplied by transformed filters, and transformed back to tiles of results. `weight` holds the transformed filters,
 * [points, in, out]. A pixel that is not finite makes NaN of all results that share a
 * window with it.
 */
export function emitWinograd(kernel: ConvolutionKernel, tile: TileSize, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape } = kernel;
  const { inChannels, outChannels } = shape;
  const scheme = schemes[tile];
  const transforms = transformsOf(scheme);
  const { relaxed } = options.microKernels;
  const [height] = shape.output;
  const panels = planPanels(outChannels, options.wide);
  const padded = paddedColumns(panels);
  const block = planTiles(shape, scheme, TASK_TILES[tile], Math.ceil(FEWEST_TASKS / options.runs));
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = scheme.results * block.rows;

  const first = code.keep(i32.mul(i32.rem_u(task, block.blocks), most));
  const firstImage = code.keep(i32.mul(i32.div_u(task, block.blocks), images));
  const rows = blockLength(code, height, Math.min(most, height), first);
  const tileRows = tileRowsOf(rows, scheme);
  const perImage = code.local("i32", timesCount(tileRows, columns).value);
  const windowLayout = pointLayout(mostTiles, pointBytes(inChannels));
  const productLayout = pointLayout(mostTiles, 4 * padded);
  const windows = code.local("i32", target.scratch(scheme.points * windowLayout.point));
  const products = code.local("i32", target.scratch(scheme.points * productLayout.point));
  const tilesAt = (address: Integer, image: Integer, layout: PointLayout): Squares =>
    pointSquares(plus(address, i32.mul(i32.mul(image, perImage), layout.step)), layout, columns, scheme);

  code.countUp(0, images, 1, (i) => {
    const image = code.local("i32", plus(firstImage, i));
    const strip = emitStrip(target, kernel.input, filledToTiles(shape, scheme), { image, first, rows, most });
    emitTransform(code, transforms.window, {
      rows: tileRows.value,
      columns,
      vectors: windowLayout.step / 16,
      relaxed,
      from: pixelSquares(strip.address, strip.pitch, 4 * inChannels, scheme),
      to: tilesAt(windows, i, windowLayout),
    });
  });

  const filters = filterLayout(inChannels, outChannels);
  code.countUp(0, scheme.points, 1, (point) => {
    emitProduct(target, {
      count: timesCount(tileRows, columns * images),
      rows: {
        kind: "strided",
        first: plus(windows, i32.mul(point, windowLayout.point)),
        step: windowLayout.step,
      },
      panels,
      accumulates: false,
      rhs: plus(target.baseOf(kernel.weight), i32.mul(point, filters.point)),
      out: plus(products, i32.mul(point, productLayout.point)),
      outStep: productLayout.step,
      inner: {
        lhsStep: 4,
        rhsStep: filters.step,
        count: inChannels,
        segments: 1,
        lhsJump: 0,
      },
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
    channels: { first: 0, count: outChannels, padded },
  });
  return target.finish((shape.batch / images) * block.blocks);
}
