import type { FilterGradientKernel } from "../../../compiler/program.ts";
import { i32, memory } from "../assembly/scalar-instructions.ts";
import { plus } from "../emit/addresses.ts";
import { packRows, straddles } from "./factors.ts";
import { KernelBuilder } from "./kernel-builder.ts";
import type { KernelCode, KernelOptions } from "./kernel-builder.ts";
import { emitElements } from "./map.ts";
import { paddedColumns, planPanels } from "./panels.ts";
import { emitStrip, rowsPerBlock } from "./strip.ts";
import { blockLength } from "./tasks.ts";
import { emitProduct } from "./tiles.ts";

/** Bytes of padded input and of cotangent that are in use at a time: about the first cache. */
const BLOCK_BYTES = 56 * 1024;

/**
 * For each part of the batch: the sum over its pixels of (window, channels) x out channels, kept in scratch
 * memory until the part is done.
 */
export function emitFilterGradient(kernel: FilterGradientKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape, parts } = kernel;
  const [height, width] = shape.output;
  const panels = planPanels(shape.outChannels, options.wide, "filter");
  const padded = paddedColumns(panels);
  const window = shape.kernel[1] * shape.inChannels;
  const filterRows = shape.kernel[0] * window;
  const sums = code.local("i32", target.scratch(4 * filterRows * padded));
  code.emit(memory.fill(sums, 0, 4 * filterRows * padded));

  const cotangentRow = 4 * width * shape.outChannels;
  const block = rowsPerBlock(shape, BLOCK_BYTES, cotangentRow, 1);
  const images = shape.batch / parts;
  const firstImage = code.keep(i32.mul(task, images));
  const scratchBefore = target.scratchBytes;
  code.countUp(firstImage, i32.add(firstImage, images), 1, (image) => {
    code.countUp(0, height, block, (first) => {
      target.scratchBytes = scratchBefore;
      const rows = blockLength(code, height, block, first);
      const strip = emitStrip(target, kernel.input, shape, { image, first, rows, most: block });
      const row = plus(i32.mul(image, height), first);
      const cotangent = code.local("i32", plus(target.baseOf(kernel.cotangent), i32.mul(row, cotangentRow)));
      const rowsOfFactors = { address: cotangent, step: 4 * shape.outChannels };
      const pixels = i32.mul(rows.value, width);
      const rhs = straddles(rowsOfFactors.step)
        ? packRows(target, rowsOfFactors, pixels, block * width, shape.outChannels)
        : rowsOfFactors;
      const pixelStep = 4 * shape.strides[1] * shape.inChannels;
      code.countUp(0, shape.kernel[0], 1, (ky) => {
        emitProduct(target, {
          count: { value: window, values: [window] },
          rows: {
            kind: "strided",
            first: i32.add(strip.address, i32.mul(ky, strip.pitch)),
            step: 4,
          },
          panels,
          accumulates: true,
          rhs: rhs.address,
          out: i32.add(sums, i32.mul(ky, 4 * window * padded)),
          outStep: 4 * padded,
          inner: {
            lhsStep: pixelStep,
            rhsStep: rhs.step,
            count: width,
            segments: rows.value,
            lhsJump: strip.pitch * shape.strides[0] - width * pixelStep,
          },
        });
      });
    });
  });

  const base = code.keep(sums);
  target.result = { base, index: { offset: 0, coefficients: [0, padded, 1] } };
  emitElements(code, {
    axes: [parts, filterRows, shape.outChannels],
    stores: [
      {
        buffer: kernel.result,
        index: { offset: 0, coefficients: [filterRows * shape.outChannels, shape.outChannels, 1] },
        value: { kind: "result", dtype: "f32", slot: 0 },
      },
    ],
    sources: target,
    ranges: [{ start: task }],
  });
  return target.finish(parts);
}
