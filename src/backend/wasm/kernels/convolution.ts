import type { ConvolutionKernel, ConvolutionShape, Expression } from "../../../compiler/program.ts";
import { emitElements } from "./map.ts";
import { KernelWriter } from "./kernel.ts";
import type { Emission, KernelCode } from "./kernel.ts";
import { paddedColumns, planPanels } from "./micro-kernel.ts";
import { addressAt, blockLength, emitProduct, isPlainLoad, isPlainStore, packRows, straddles } from "./tiles.ts";
import type { Count } from "./tiles.ts";
import type { Code } from "../emit/writer.ts";
import { add, get, i32 } from "../emit/writer.ts";

/** Bytes of padded input and of results that a block of image rows may take: both stay in the second cache. */
const BLOCK_BYTES = 224 * 1024;
const FEWEST_TASKS = 8;
/** Pixels that a copy of the weights has to serve. */
const FEWEST_PIXELS_TO_PACK = 64;

/** As an implicit matrix product: pixels x (window, channels) x out channels, for some image rows at a time. */
export function emitConvolution(kernel: ConvolutionKernel, emission: Emission): KernelCode {
  const target = new KernelWriter(emission);
  const { writer } = target;
  const { shape, stores, axes } = kernel;
  const [height, width] = shape.output;
  const panels = planPanels(shape.outChannels, emission.wide);
  const padded = paddedColumns(panels);
  const block = rowsPerBlock(
    shape,
    BLOCK_BYTES,
    4 * width * padded,
    Math.ceil(FEWEST_TASKS / (shape.batch * emission.runs)),
  );
  const blocks = Math.ceil(height / block);

  const first = get(writer.bind("i32", `(i32.mul (i32.rem_u (local.get $task) ${i32(blocks)}) ${i32(block)})`));
  const image = get(writer.bind("i32", `(i32.div_u (local.get $task) ${i32(blocks)})`));
  const rows = blockLength(writer, height, block, first);
  const strip = emitStrip(target, kernel.input, shape, { image, first, rows, most: block });

  const direct = isPlainStore(stores) && shape.outChannels === padded;
  const outStep = 4 * (direct ? shape.outChannels : padded);
  const out = direct
    ? addressAt(get(target.baseOf(stores[0].buffer)), stores[0].index, [image, first])
    : target.scratch(outStep * block * width);
  const outLocal = get(writer.bind("i32", out));
  const window = shape.kernel[1] * shape.inChannels;
  const weightRows = shape.kernel[0] * window;
  const weights = { address: get(target.baseOf(kernel.weight)), step: 4 * shape.outChannels };
  const pays = straddles(weights.step) && block * width >= FEWEST_PIXELS_TO_PACK;
  const rhs = pays ? packRows(target, weights, i32(weightRows), weightRows, shape.outChannels) : weights;
  const pixelStep = 4 * shape.strides[1] * shape.inChannels;
  emitProduct(target, {
    count: { code: `(i32.mul ${rows.code} ${i32(width)})`, values: rows.values.map((n) => n * width) },
    rows: {
      kind: "pixels",
      first: strip.address,
      width,
      step: pixelStep,
      jump: strip.pitch * shape.strides[0] - width * pixelStep,
    },
    panels,
    accumulates: false,
    rhs: rhs.address,
    out: outLocal,
    outStep,
    inner: {
      lhsStep: i32(4),
      rhsStep: i32(rhs.step),
      count: i32(window),
      segments: i32(shape.kernel[0]),
      lhsJump: i32(strip.pitch - 4 * window),
    },
  });

  if (!direct) {
    const base = writer.bind("i32", `(i32.sub ${outLocal} (i32.mul ${first} ${i32(outStep * width)}))`);
    target.result = { base, index: { offset: 0, coefficients: [0, width * padded, padded, 1] } };
    const end = get(writer.bind("i32", `(i32.add ${first} ${rows.code})`));
    emitElements(writer, { axes, stores, sources: target, ranges: [{ start: image }, { start: first, end }] });
  }
  return target.finish(shape.batch * blocks);
}

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
  readonly address: Code;
  /** Bytes from row to row. */
  readonly pitch: number;
}

export interface StripRows {
  readonly image: Code;
  /** The first row of results, and how many. */
  readonly first: Code;
  readonly rows: Count;
  readonly most: number;
}

/** The part of an image that some rows of results depend on: where it lies if nothing needs padding, else a padded copy. */
export function emitStrip(target: KernelWriter, input: Expression, shape: ConvolutionShape, part: StripRows): Strip {
  const { writer } = target;
  const [height, width] = shape.input;
  const { inChannels: channels } = shape;
  const unpadded = shape.padding.every(([low, high]) => low === 0 && high === 0);
  if (unpadded && isPlainLoad(input) && isWholeImage(input.index.coefficients, height, width, channels)) {
    const row = `(i32.mul ${part.first} ${i32(shape.strides[0])})`;
    const address = addressAt(get(target.baseOf(input.buffer)), input.index, [part.image, row]);
    return { address: get(writer.bind("i32", address)), pitch: 4 * width * channels };
  }
  const [[top], [left]] = shape.padding;
  const pitch = 4 * stripWidth(shape) * channels;
  const reach = (rows: number): number => (rows - 1) * shape.strides[0] + shape.kernel[0];
  const bytes = pitch * reach(part.most);
  const strip = get(writer.bind("i32", target.scratch(bytes)));
  if (!unpadded) writer.line(`(memory.fill ${strip} ${i32(0)} ${i32(bytes)})`);
  // Row r of the image lies at strip row r - origin.
  const origin = get(writer.bind("i32", `(i32.sub (i32.mul ${part.first} ${i32(shape.strides[0])}) ${i32(top)})`));
  const reached = add(`(i32.mul (i32.sub ${part.rows.code} ${i32(1)}) ${i32(shape.strides[0])})`, i32(shape.kernel[0]));
  const start = writer.bind("i32", `(select ${origin} ${i32(0)} (i32.gt_s ${origin} ${i32(0)}))`);
  const stop = writer.bind("i32", `(i32.add ${origin} ${reached})`);
  const end = writer.bind("i32", `(select ${get(stop)} ${i32(height)} (i32.lt_s ${get(stop)} ${i32(height)}))`);
  const base = writer.bind(
    "i32",
    `(i32.sub (i32.add ${strip} ${i32(4 * left * channels)}) (i32.mul ${origin} ${i32(pitch)}))`,
  );
  emitElements(writer, {
    axes: [shape.batch, height, width, channels],
    stores: [{ buffer: { base }, index: { offset: 0, coefficients: [0, pitch / 4, channels, 1] }, value: input }],
    sources: target,
    ranges: [{ start: part.image }, { start: get(start), end: get(end) }],
  });
  return { address: strip, pitch };
}

function isWholeImage(coefficients: readonly number[], height: number, width: number, channels: number): boolean {
  const steps = [height * width * channels, width * channels, channels, 1];
  return steps.every((step, axis) => coefficients[axis] === step);
}
