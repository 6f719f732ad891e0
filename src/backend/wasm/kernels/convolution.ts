import type { ConvolutionKernel } from "../../../compiler/program.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { addressAt } from "../emit/addresses.ts";
import { packRows, straddles } from "./factors.ts";
import { KernelBuilder } from "./kernel-builder.ts";
import type { KernelCode, KernelOptions } from "./kernel-builder.ts";
import { emitElements } from "./map.ts";
import { paddedColumns, planPanels } from "./panels.ts";
import { isPlainStore } from "./plain.ts";
import { emitStrip, rowsPerBlock } from "./strip.ts";
import { blockLength, timesCount } from "./tasks.ts";
import { emitProduct } from "./tiles.ts";

/** Bytes of padded input and of results that a block of image rows may take: both stay in the second cache. */
const BLOCK_BYTES = 224 * 1024;
const FEWEST_TASKS = 8;
/** Pixels that a copy of the weights has to serve. */
const FEWEST_PIXELS_TO_PACK = 64;

/** As an implicit matrix product: pixels x (window, channels) x out channels, for some image rows at a time. */
export function emitConvolution(kernel: ConvolutionKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape, stores, axes } = kernel;
  const [height, width] = shape.output;
  const panels = planPanels(shape.outChannels, options.wide);
  const padded = paddedColumns(panels);
  const block = rowsPerBlock(
    shape,
    BLOCK_BYTES,
    4 * width * padded,
    Math.ceil(FEWEST_TASKS / (shape.batch * options.runs)),
  );
  const blocks = Math.ceil(height / block);

  const first = code.keep(i32.mul(i32.rem_u(task, blocks), block));
  const image = code.keep(i32.div_u(task, blocks));
  const rows = blockLength(code, height, block, first);
  const strip = emitStrip(target, kernel.input, shape, { image, first, rows, most: block });

  const direct = isPlainStore(stores) && shape.outChannels === padded;
  const outStep = 4 * (direct ? shape.outChannels : padded);
  const outAddress = direct
    ? addressAt(target.baseOf(stores[0].buffer), stores[0].index, [image, first])
    : target.scratch(outStep * block * width);
  const out = code.local("i32", outAddress);
  const window = shape.kernel[1] * shape.inChannels;
  const weightRows = shape.kernel[0] * window;
  const weights = { address: target.baseOf(kernel.weight), step: 4 * shape.outChannels };
  const pays = straddles(weights.step) && block * width >= FEWEST_PIXELS_TO_PACK;
  const rhs = pays ? packRows(target, weights, weightRows, weightRows, shape.outChannels) : weights;
  const pixelStep = 4 * shape.strides[1] * shape.inChannels;
  emitProduct(target, {
    count: timesCount(rows, width),
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
    out,
    outStep,
    inner: {
      lhsStep: 4,
      rhsStep: rhs.step,
      count: window,
      segments: shape.kernel[0],
      lhsJump: strip.pitch - 4 * window,
    },
  });

  if (!direct) {
    const base = code.keep(i32.sub(out, i32.mul(first, outStep * width)));
    target.result = { base, index: { offset: 0, coefficients: [0, width * padded, padded, 1] } };
    const end = code.keep(i32.add(first, rows.value));
    emitElements(code, { axes, stores, sources: target, ranges: [{ start: image }, { start: first, end }] });
  }
  return target.finish(shape.batch * blocks);
}
