import type { FilterGradientKernel } from "../../../compiler/program.ts";
import { emitStrip, rowsPerBlock } from "./convolution.ts";
import { emitElements } from "./map.ts";
import { KernelWriter } from "./kernel.ts";
import type { Emission, KernelCode } from "./kernel.ts";
import { paddedColumns, planPanels } from "./micro-kernel.ts";
import { blockLength, emitProduct, packRows, straddles } from "./tiles.ts";
import { add, get, i32 } from "../emit/writer.ts";

/** Bytes of padded input and of cotangent that are in use at a time: about the first cache. */
const BLOCK_BYTES = 56 * 1024;

/**
 * For each part of the batch: the sum over its pixels of (window, channels) x out channels, kept in scratch
 * memory until the part is done.
 */
export function emitFilterGradient(kernel: FilterGradientKernel, emission: Emission): KernelCode {
  const target = new KernelWriter(emission);
  const { writer } = target;
  const { shape, parts } = kernel;
  const [height, width] = shape.output;
  const panels = planPanels(shape.outChannels, emission.wide, "filter");
  const padded = paddedColumns(panels);
  const window = shape.kernel[1] * shape.inChannels;
  const filterRows = shape.kernel[0] * window;
  const sums = get(writer.bind("i32", target.scratch(4 * filterRows * padded)));
  writer.line(`(memory.fill ${sums} ${i32(0)} ${i32(4 * filterRows * padded)})`);

  const cotangentRow = 4 * width * shape.outChannels;
  const block = rowsPerBlock(shape, BLOCK_BYTES, cotangentRow, 1);
  const images = shape.batch / parts;
  const firstImage = get(writer.bind("i32", `(i32.mul (local.get $task) ${i32(images)})`));
  const scratchBefore = target.scratchBytes;
  writer.loop(firstImage, `(i32.add ${firstImage} ${i32(images)})`, 1, (image) => {
    writer.loop(i32(0), i32(height), block, (first) => {
      target.scratchBytes = scratchBefore;
      const rows = blockLength(writer, height, block, get(first));
      const strip = emitStrip(target, kernel.input, shape, { image: get(image), first: get(first), rows, most: block });
      const row = add(`(i32.mul ${get(image)} ${i32(height)})`, get(first));
      const cotangent = get(
        writer.bind("i32", add(get(target.baseOf(kernel.cotangent)), `(i32.mul ${row} ${i32(cotangentRow)})`)),
      );
      const rowsOfFactors = { address: cotangent, step: 4 * shape.outChannels };
      const pixels = `(i32.mul ${rows.code} ${i32(width)})`;
      const rhs = straddles(rowsOfFactors.step)
        ? packRows(target, rowsOfFactors, pixels, block * width, shape.outChannels)
        : rowsOfFactors;
      const pixelStep = 4 * shape.strides[1] * shape.inChannels;
      writer.loop(i32(0), i32(shape.kernel[0]), 1, (ky) => {
        emitProduct(target, {
          count: { code: i32(window), values: [window] },
          rows: {
            kind: "strided",
            first: `(i32.add ${strip.address} (i32.mul ${get(ky)} ${i32(strip.pitch)}))`,
            step: 4,
          },
          panels,
          accumulates: true,
          rhs: rhs.address,
          out: `(i32.add ${sums} (i32.mul ${get(ky)} ${i32(4 * window * padded)}))`,
          outStep: 4 * padded,
          inner: {
            lhsStep: i32(pixelStep),
            rhsStep: i32(rhs.step),
            count: i32(width),
            segments: rows.code,
            lhsJump: i32(strip.pitch * shape.strides[0] - width * pixelStep),
          },
        });
      });
    });
  });

  const base = writer.bind("i32", sums);
  target.result = { base, index: { offset: 0, coefficients: [0, padded, 1] } };
  emitElements(writer, {
    axes: [parts, filterRows, shape.outChannels],
    stores: [
      {
        buffer: kernel.result,
        index: { offset: 0, coefficients: [filterRows * shape.outChannels, shape.outChannels, 1] },
        value: { kind: "result", dtype: "f32", slot: 0 },
      },
    ],
    sources: target,
    ranges: [{ start: "(local.get $task)" }],
  });
  return target.finish(parts);
}
