import type { ConvolutionShape, Expression, FilterGradientKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32, memory } from "../../assembly/scalar-instructions.ts";
import { v128 } from "../../assembly/vector-instructions.ts";
import { plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { emitStrip } from "../strip.ts";
import { blockLength, timesCount } from "../tasks.ts";
import { emitProduct } from "../tiles.ts";
import { POINTS, filledToTiles, pixelSquares, planTiles, pointBytes, pointSquares, tileRowsOf } from "./tiles.ts";
import { cotangentTransform, emitTransform, tapTransform, windowTransform } from "./transform.ts";
import type { Squares } from "./transform.ts";

/** Tiles whose products are added at a time, about: sums are read and written once for all of them. */
const BLOCK_TILES = 112;
const TAPS = 9;

/**
 * The gradient of what emitWinograd computes: transformed windows times transformed cotangents, summed over the tiles of
 * each part of the batch and transformed back to the filters' gradient.
 */
export function emitWinogradFilterGradient(kernel: FilterGradientKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape, parts } = kernel;
  const { inChannels, outChannels } = shape;
  const [height] = shape.output;
  const panels = planPanels(outChannels, options.wide, "filter");
  const padded = paddedColumns(panels);
  const perPart = shape.batch / parts;
  const block = planTiles({ ...shape, batch: perPart }, BLOCK_TILES, 1);
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = 2 * block.rows;
  const [windowStep, cotangentStep] = [pointBytes(inChannels), pointBytes(outChannels)];
  const sumBytes = 4 * POINTS * inChannels * padded;
  const sums = code.local("i32", target.scratch(sumBytes));
  code.emit(memory.fill(sums, 0, sumBytes));
  const windows = code.local("i32", target.scratch(POINTS * mostTiles * windowStep));
  const cotangents = code.local("i32", target.scratch(POINTS * mostTiles * cotangentStep));

  const start = code.keep(i32.mul(task, perPart));
  code.countUp(start, i32.add(start, perPart), images, (firstImage) => {
    code.countUp(0, height, most, (first) => {
      const rows = blockLength(code, height, Math.min(most, height), first);
      const tileRows = tileRowsOf(rows);
      const perImage = code.local("i32", timesCount(tileRows, columns).value);
      const tilesAt = (address: Integer, i: Integer, step: number): Squares =>
        pointSquares(plus(address, i32.mul(i32.mul(i, perImage), step)), mostTiles, step, columns);
      code.countUp(0, images, 1, (i) => {
        const part = { image: code.local("i32", plus(firstImage, i)), first, rows, most };
        const input = emitStrip(target, kernel.input, filledToTiles(shape), part);
        emitTransform(code, windowTransform, {
          rows: tileRows.value,
          columns,
          vectors: windowStep / 16,
          from: pixelSquares(input.address, input.pitch, 4 * inChannels),
          to: tilesAt(windows, i, windowStep),
        });
        const cotangent = emitStrip(target, cotangentOf(kernel), filledToTiles(cotangentShape(shape)), part);
        emitTransform(code, cotangentTransform, {
          rows: tileRows.value,
          columns,
          vectors: cotangentStep / 16,
          from: pixelSquares(cotangent.address, cotangent.pitch, 4 * outChannels),
          to: tilesAt(cotangents, i, cotangentStep),
        });
      });
      code.countUp(0, POINTS, 1, (point) => {
        const at = (address: Integer, bytes: number): Integer => plus(address, i32.mul(point, bytes));
        emitProduct(target, {
          count: { value: inChannels, values: [inChannels] },
          rows: { kind: "strided", first: at(windows, mostTiles * windowStep), step: 4 },
          panels,
          accumulates: true,
          rhs: at(cotangents, mostTiles * cotangentStep),
          out: at(sums, 4 * inChannels * padded),
          outStep: 4 * padded,
          inner: {
            lhsStep: windowStep,
            rhsStep: cotangentStep,
            count: timesCount(tileRows, columns * images).value,
            segments: 1,
            lhsJump: 0,
          },
        });
      });
    });
  });

  const [sumStep, filterStep] = [4 * padded, 4 * outChannels];
  const part = i32.mul(task, TAPS * inChannels * filterStep);
  const half = code.constant(v128.const("f32x4", [0.5, 0.5, 0.5, 0.5]));
  emitTransform(code, tapTransform(half), {
    rows: 1,
    columns: inChannels,
    vectors: outChannels / 4,
    from: pointSquares(sums, inChannels, sumStep, inChannels),
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

/** The cotangent as an image of its own, without a window around its pixels. */
function cotangentShape(shape: ConvolutionShape): ConvolutionShape {
  const none = [0, 0] as const;
  return { ...shape, input: shape.output, inChannels: shape.outChannels, kernel: [1, 1], padding: [none, none] };
}

function cotangentOf({ shape, cotangent }: FilterGradientKernel): Expression {
  const [height, width] = shape.output;
  const channels = shape.outChannels;
  const coefficients = [height * width * channels, width * channels, channels, 1];
  return { kind: "load", dtype: "f32", buffer: cotangent, index: { offset: 0, coefficients } };
}
