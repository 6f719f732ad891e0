import type { FilterGradientKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32, memory } from "../../assembly/scalar-instructions.ts";
import { plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { emitStrip } from "../strip.ts";
import { blockLength, timesCount } from "../tasks.ts";
import { emitProduct } from "../tiles.ts";
import { cotangentOf, cotangentShape } from "./transform-kernel.ts";
import { schemes } from "./scheme.ts";
import type { TileSize } from "./scheme.ts";
import { filledToTiles, pixelSquares, planTiles, pointBytes, pointLayout, pointSquares, tileRowsOf } from "./tiles.ts";
import type { PointLayout } from "./tiles.ts";
import { emitTransform, transformsOf } from "./transform.ts";
import type { Squares } from "./transform.ts";

/** Tiles whose products are added at a time, about: sums are read and written once for all of them. */
const BLOCK_TILES = { 2: 112, 4: 56 } as const;
const TAPS = 9;

/**
 * The gradient of what emitWinograd computes: transformed windows times transformed cotangents, summed over the tiles of
 * each part of the batch and transformed back to the filters' gradient.
 */
export function emitWinogradFilterGradient(
  kernel: FilterGradientKernel,
  tile: TileSize,
  options: KernelOptions,
): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape, parts } = kernel;
  const { inChannels, outChannels } = shape;
  const scheme = schemes[tile];
  const transforms = transformsOf(scheme);
  const { relaxed } = options.microKernels;
  const [height] = shape.output;
  const panels = planPanels(outChannels, options.wide, "filter");
  const padded = paddedColumns(panels);
  const perPart = shape.batch / parts;
  const block = planTiles({ ...shape, batch: perPart }, scheme, BLOCK_TILES[tile], 1);
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = scheme.results * block.rows;
  const windowLayout = pointLayout(mostTiles, pointBytes(inChannels));
  const cotangentLayout = pointLayout(mostTiles, pointBytes(outChannels));
  const sumLayout = pointLayout(inChannels, 4 * padded);
  const sumBytes = scheme.points * sumLayout.point;
  const sums = code.local("i32", target.scratch(sumBytes));
  code.emit(memory.fill(sums, 0, sumBytes));
  const windows = code.local("i32", target.scratch(scheme.points * windowLayout.point));
  const cotangents = code.local("i32", target.scratch(scheme.points * cotangentLayout.point));

  const start = code.keep(i32.mul(task, perPart));
  code.countUp(start, i32.add(start, perPart), images, (firstImage) => {
    code.countUp(0, height, most, (first) => {
      const rows = blockLength(code, height, Math.min(most, height), first);
      const tileRows = tileRowsOf(rows, scheme);
      const perImage = code.local("i32", timesCount(tileRows, columns).value);
      const tilesAt = (address: Integer, i: Integer, layout: PointLayout): Squares =>
        pointSquares(plus(address, i32.mul(i32.mul(i, perImage), layout.step)), layout, columns, scheme);
      code.countUp(0, images, 1, (i) => {
        const part = { image: code.local("i32", plus(firstImage, i)), first, rows, most };
        const input = emitStrip(target, kernel.input, filledToTiles(shape, scheme), part);
        emitTransform(code, transforms.window, {
          rows: tileRows.value,
          columns,
          vectors: windowLayout.step / 16,
          relaxed,
          from: pixelSquares(input.address, input.pitch, 4 * inChannels, scheme),
          to: tilesAt(windows, i, windowLayout),
        });
        const cotangent = emitStrip(target, cotangentOf(kernel), filledToTiles(cotangentShape(shape), scheme), part);
        emitTransform(code, transforms.cotangent, {
          rows: tileRows.value,
          columns,
          vectors: cotangentLayout.step / 16,
          relaxed,
          from: pixelSquares(cotangent.address, cotangent.pitch, 4 * outChannels, scheme),
          to: tilesAt(cotangents, i, cotangentLayout),
        });
      });
      code.countUp(0, scheme.points, 1, (point) => {
        const at = (address: Integer, bytes: number): Integer => plus(address, i32.mul(point, bytes));
        emitProduct(target, {
          count: { value: inChannels, values: [inChannels] },
          rows: { kind: "strided", first: at(windows, windowLayout.point), step: 4 },
          panels,
          accumulates: true,
          rhs: at(cotangents, cotangentLayout.point),
          out: at(sums, sumLayout.point),
          outStep: sumLayout.step,
          inner: {
            lhsStep: windowLayout.step,
            rhsStep: cotangentLayout.step,
            count: timesCount(tileRows, columns * images).value,
            segments: 1,
            lhsJump: 0,
          },
        });
      });
    });
  });

  const filterStep = 4 * outChannels;
  const part = i32.mul(task, TAPS * inChannels * filterStep);
  emitTransform(code, transforms.tap, {
    rows: 1,
    columns: inChannels,
    vectors: outChannels / 4,
    relaxed,
    from: pointSquares(sums, sumLayout, inChannels, scheme),
    to: {
      address: plus(target.baseOf(kernel.result), part),
      row: 3 * inChannels * filterStep,
      column: inChannels * filterStep,
      next: filterStep,
      below: 0,
    },
  });
  return target.finish(parts);
}
