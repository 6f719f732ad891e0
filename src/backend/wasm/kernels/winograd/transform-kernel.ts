import type { Buffer, ConvolutionShape, Expression, TransformKernel } from "../../../../compiler/program.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { LINE_BYTES, plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { emitStrip } from "../strip.ts";
import { blockLength } from "../tasks.ts";
import { schemes } from "./scheme.ts";
import type { TileSize } from "./scheme.ts";
import { filledToTiles, pixelSquares, planTiles, pointBytes, pointLayout, pointSquares, tileRowsOf } from "./tiles.ts";
import type { PointLayout } from "./tiles.ts";
import { emitTransform, transformsOf } from "./transform.ts";

/** Tiles that one task transforms, about. */
const TASK_TILES = 16;

/** How transformed images of a whole batch lie in a buffer: [points, images, tile rows, tile columns, channels]. */
export function imageLayout(shape: ConvolutionShape, tile: TileSize, channels: number): PointLayout {
  const [rows, columns] = shape.output.map((n) => Math.ceil(n / tile));
  // An odd number of cache lines: a product walks from tile to tile, and must not return to the same sets of a cache.
  const lines = Math.ceil(pointBytes(channels) / LINE_BYTES);
  return pointLayout(shape.batch * rows * columns, LINE_BYTES * (lines + ((lines + 1) % 2)));
}

/** Elements of a buffer of transformed images. */
export function imageElements(shape: ConvolutionShape, tile: TileSize, channels: number): number {
  return (schemes[tile].points * imageLayout(shape, tile, channels).point) / 4;
}

/** What an expression that does nothing but load loads. */
export function loadedBuffer(expression: Expression): Buffer {
  if (expression.kind !== "load") throw new Error("internal: what was to be transformed ahead is computed here");
  return expression.buffer;
}

/** What convolutions and gradients do to images and filters first, for those that would do it many times over. */
export function emitTransformKernel(kernel: TransformKernel, options: KernelOptions): KernelCode {
  return kernel.of === "filters" ? emitFilterTransform(kernel, options) : emitImageTransform(kernel, options);
}

/** Elements of a buffer of transformed filters. */
export function filterElements({ inChannels, outChannels }: ConvolutionShape, tile: TileSize): number {
  return (schemes[tile].points * filterLayout(inChannels, outChannels).point) / 4;
}

/** How transformed filters lie: [points, in, out], out channels padded to whole pairs of vectors. */
export function filterLayout(inChannels: number, outChannels: number): PointLayout {
  return pointLayout(inChannels, pointBytes(outChannels));
}

/** Filters that one task transforms, about, in elements. */
const TASK_FILTERS = 2048;

function emitFilterTransform({ shape, tile, input, result }: TransformKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { inChannels, outChannels } = shape;
  const scheme = schemes[tile];
  const most = Math.max(1, Math.floor(TASK_FILTERS / outChannels));
  const first = code.keep(i32.mul(task, most));
  const channels = blockLength(code, inChannels, Math.min(most, inChannels), first);
  const from = 4 * outChannels;
  const layout = filterLayout(inChannels, outChannels);
  emitTransform(code, transformsOf(scheme).filter, {
    rows: channels.value,
    columns: 1,
    vectors: outChannels / 4,
    relaxed: options.microKernels.relaxed,
    from: {
      address: plus(target.baseOf(loadedBuffer(input)), i32.mul(first, from)),
      row: 3 * inChannels * from,
      column: inChannels * from,
      next: from,
      below: from,
    },
    to: {
      address: plus(target.baseOf(result), i32.mul(first, layout.step)),
      row: scheme.window * layout.point,
      column: layout.point,
      next: layout.step,
      below: layout.step,
    },
  });
  return target.finish(Math.ceil(inChannels / most));
}

function emitImageTransform(kernel: TransformKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { tile, input } = kernel;
  const scheme = schemes[tile];
  const transforms = transformsOf(scheme);
  const isWindows = kernel.of === "windows";
  const shape = isWindows ? kernel.shape : cotangentShape(kernel.shape);
  const channels = shape.inChannels;
  const layout = imageLayout(kernel.shape, tile, channels);
  const block = planTiles(shape, scheme, TASK_TILES, shape.batch);
  const [height] = shape.output;
  const most = scheme.results * block.rows;
  const rowsOfImage = Math.ceil(height / scheme.results);

  const image = code.keep(i32.div_u(task, block.blocks));
  const firstTileRow = code.keep(i32.mul(i32.rem_u(task, block.blocks), block.rows));
  const first = code.keep(i32.mul(firstTileRow, scheme.results));
  const rows = blockLength(code, height, Math.min(most, height), first);
  const strip = emitStrip(target, input, filledToTiles(shape, scheme), { image, first, rows, most });
  const firstTile = i32.mul(i32.add(i32.mul(image, rowsOfImage), firstTileRow), block.columns * layout.step);
  emitTransform(code, isWindows ? transforms.window : transforms.cotangent, {
    rows: tileRowsOf(rows, scheme).value,
    columns: block.columns,
    vectors: pointBytes(channels) / 16,
    relaxed: options.microKernels.relaxed,
    from: pixelSquares(strip.address, strip.pitch, 4 * channels, scheme),
    to: pointSquares(plus(target.baseOf(kernel.result), firstTile), layout, block.columns, scheme),
  });
  return target.finish(shape.batch * block.blocks);
}

/** The cotangent as an image of its own, without a window around its pixels. */
export function cotangentShape(shape: ConvolutionShape): ConvolutionShape {
  const none = [0, 0] as const;
  return { ...shape, input: shape.output, inChannels: shape.outChannels, kernel: [1, 1], padding: [none, none] };
}

/** A contiguous NHWC buffer of a convolution's results as an expression. */
export function cotangentOf({
  shape,
  cotangent,
}: {
  readonly shape: ConvolutionShape;
  readonly cotangent: Buffer;
}): Expression {
  const [height, width] = shape.output;
  const channels = shape.outChannels;
  const coefficients = [height * width * channels, width * channels, channels, 1];
  return { kind: "load", dtype: "f32", buffer: cotangent, index: { offset: 0, coefficients } };
}
