import type { ConvolutionShape, Expression, FilterGradientKernel } from "../../../../compiler/program.ts";
import { emitStrip } from "../convolution.ts";
import { KernelWriter } from "../kernel.ts";
import type { Emission, KernelCode } from "../kernel.ts";
import { paddedColumns, planPanels } from "../micro-kernel.ts";
import { blockLength, emitProduct } from "../tiles.ts";
import { cotangentTransform, emitTransform, tapTransform, windowTransform } from "./transform.ts";
import type { Squares } from "./transform.ts";
import {
  POINTS,
  filledToTiles,
  pixelSquares,
  planTiles,
  pointBytes,
  pointSquares,
  tileRowsOf,
  timesCount,
} from "./convolution.ts";
import type { Code } from "../../emit/writer.ts";
import { add, get, i32 } from "../../emit/writer.ts";

/** Tiles whose products are added at a time, about: sums are read and written once for all of them. */
const BLOCK_TILES = 112;
const TAPS = 9;

/**
 * The gradient of what emitWinograd computes: transformed windows times transformed cotangents, summed over the tiles of
 * each part of the batch and transformed back to the filters' gradient.
 */
export function emitWinogradFilterGradient(kernel: FilterGradientKernel, emission: Emission): KernelCode {
  const target = new KernelWriter(emission);
  const { writer } = target;
  const { shape, parts } = kernel;
  const { inChannels, outChannels } = shape;
  const [height] = shape.output;
  const panels = planPanels(outChannels, emission.wide, "filter");
  const padded = paddedColumns(panels);
  const perPart = shape.batch / parts;
  const block = planTiles({ ...shape, batch: perPart }, BLOCK_TILES, 1);
  const { images, columns } = block;
  const mostTiles = images * block.rows * columns;
  const most = 2 * block.rows;
  const [windowStep, cotangentStep] = [pointBytes(inChannels), pointBytes(outChannels)];
  const sumBytes = 4 * POINTS * inChannels * padded;
  const sums = get(writer.bind("i32", target.scratch(sumBytes)));
  writer.line(`(memory.fill ${sums} ${i32(0)} ${i32(sumBytes)})`);
  const windows = get(writer.bind("i32", target.scratch(POINTS * mostTiles * windowStep)));
  const cotangents = get(writer.bind("i32", target.scratch(POINTS * mostTiles * cotangentStep)));

  const start = get(writer.bind("i32", `(i32.mul (local.get $task) ${i32(perPart)})`));
  writer.loop(start, `(i32.add ${start} ${i32(perPart)})`, images, (firstImage) => {
    writer.loop(i32(0), i32(height), most, (first) => {
      const rows = blockLength(writer, height, Math.min(most, height), get(first));
      const tileRows = tileRowsOf(rows);
      const perImage = get(writer.bind("i32", timesCount(tileRows, columns).code));
      const tilesAt = (address: Code, i: string, step: number): Squares =>
        pointSquares(add(address, `(i32.mul (i32.mul ${get(i)} ${perImage}) ${i32(step)})`), mostTiles, step, columns);
      writer.loop(i32(0), i32(images), 1, (i) => {
        const part = { image: get(writer.bind("i32", add(get(firstImage), get(i)))), first: get(first), rows, most };
        const input = emitStrip(target, kernel.input, filledToTiles(shape), part);
        emitTransform(writer, windowTransform, {
          rows: tileRows.code,
          columns,
          vectors: windowStep / 16,
          from: pixelSquares(input.address, input.pitch, 4 * inChannels),
          to: tilesAt(windows, i, windowStep),
        });
        const cotangent = emitStrip(target, cotangentOf(kernel), filledToTiles(cotangentShape(shape)), part);
        emitTransform(writer, cotangentTransform, {
          rows: tileRows.code,
          columns,
          vectors: cotangentStep / 16,
          from: pixelSquares(cotangent.address, cotangent.pitch, 4 * outChannels),
          to: tilesAt(cotangents, i, cotangentStep),
        });
      });
      writer.loop(i32(0), i32(POINTS), 1, (point) => {
        const at = (address: Code, bytes: number): Code => add(address, `(i32.mul ${get(point)} ${i32(bytes)})`);
        emitProduct(target, {
          count: { code: i32(inChannels), values: [inChannels] },
          rows: { kind: "strided", first: at(windows, mostTiles * windowStep), step: 4 },
          panels,
          accumulates: true,
          rhs: at(cotangents, mostTiles * cotangentStep),
          out: at(sums, 4 * inChannels * padded),
          outStep: 4 * padded,
          inner: {
            lhsStep: i32(windowStep),
            rhsStep: i32(cotangentStep),
            count: timesCount(tileRows, columns * images).code,
            segments: i32(1),
            lhsJump: i32(0),
          },
        });
      });
    });
  });

  const [sumStep, filterStep] = [4 * padded, 4 * outChannels];
  const part = `(i32.mul (local.get $task) ${i32(TAPS * inChannels * filterStep)})`;
  const half = writer.constant("(v128.const f32x4 0.5 0.5 0.5 0.5)");
  emitTransform(writer, tapTransform(half), {
    rows: i32(1),
    columns: inChannels,
    vectors: outChannels / 4,
    from: pointSquares(sums, inChannels, sumStep, inChannels),
    to: {
      address: add(get(target.baseOf(kernel.result)), part),
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
