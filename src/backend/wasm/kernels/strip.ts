import type { ConvolutionShape, Expression } from "../../../compiler/program.ts";
import { select } from "../assembly/control-instructions.ts";
import type { Integer } from "../assembly/instruction.ts";
import { i32, memory } from "../assembly/scalar-instructions.ts";
import { addressAt, plus } from "../emit/addresses.ts";
import type { KernelBuilder } from "./kernel-builder.ts";
import { emitElements } from "./map.ts";
import { isPlainLoad } from "./plain.ts";
import type { Count } from "./tasks.ts";

/** Image rows per task, so that there is enough to share out and what a task touches stays in the cache. */
export function rowsPerBlock(
  shape: ConvolutionShape,
  mostBytes: number,
  resultBytesPerRow: number,
  fewest: number,
): number {
  const stripRow = 4 * stripWidth(shape) * shape.inChannels;
  const overlap = Math.max(0, shape.kernel[0] - shape.strides[0]);
  const fits = Math.floor((mostBytes - overlap * stripRow) / (shape.strides[0] * stripRow + resultBytesPerRow));
  const even = Math.ceil(shape.output[0] / fewest);
  return Math.max(1, Math.min(shape.output[0], fits, even));
}

function stripWidth({ input, padding }: ConvolutionShape): number {
  return input[1] + padding[1][0] + padding[1][1];
}

/** Rows of the padded input, channels last. */
export interface Strip {
  /** Of the first row's first pixel. */
  readonly address: Integer;
  /** Bytes from row to row. */
  readonly pitch: number;
}

export interface StripRows {
  readonly image: Integer;
  /** The first row of results, and how many. */
  readonly first: Integer;
  readonly rows: Count;
  readonly most: number;
}

/** The part of an image that some rows of results depend on: where it lies if nothing needs padding, else a padded copy. */
export function emitStrip(target: KernelBuilder, input: Expression, shape: ConvolutionShape, part: StripRows): Strip {
  const { code } = target;
  const [height, width] = shape.input;
  const { inChannels: channels } = shape;
  const unpadded = shape.padding.every(([low, high]) => low === 0 && high === 0);
  if (unpadded && isPlainLoad(input) && isWholeImage(input.index.coefficients, height, width, channels)) {
    const row = i32.mul(part.first, shape.strides[0]);
    const address = addressAt(target.baseOf(input.buffer), input.index, [part.image, row]);
    return { address: code.local("i32", address), pitch: 4 * width * channels };
  }
  const [[top], [left]] = shape.padding;
  const pitch = 4 * stripWidth(shape) * channels;
  const reach = (rows: number): number => (rows - 1) * shape.strides[0] + shape.kernel[0];
  const bytes = pitch * reach(part.most);
  const strip = code.local("i32", target.scratch(bytes));
  if (!unpadded) code.emit(memory.fill(strip, 0, bytes));
  // Row r of the image lies at strip row r - origin.
  const origin = code.keep(i32.sub(i32.mul(part.first, shape.strides[0]), top));
  const reached = plus(i32.mul(i32.sub(part.rows.value, 1), shape.strides[0]), shape.kernel[0]);
  const start = code.keep(select("i32", origin, 0, i32.gt_s(origin, 0)));
  const stop = code.keep(i32.add(origin, reached));
  const end = code.keep(select("i32", stop, height, i32.lt_s(stop, height)));
  const base = code.keep(i32.sub(i32.add(strip, 4 * left * channels), i32.mul(origin, pitch)));
  emitElements(code, {
    axes: [shape.batch, height, width, channels],
    stores: [{ buffer: { base }, index: { offset: 0, coefficients: [0, pitch / 4, channels, 1] }, value: input }],
    sources: target,
    ranges: [{ start: part.image }, { start, end }],
  });
  return { address: strip, pitch };
}

function isWholeImage(coefficients: readonly number[], height: number, width: number, channels: number): boolean {
  const steps = [height * width * channels, width * channels, channels, 1];
  return steps.every((step, axis) => coefficients[axis] === step);
}
