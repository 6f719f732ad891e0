import { writesOf } from "../../compiler/accesses.ts";
import { partsOf } from "../../compiler/program.ts";
import type { AttentionShape, Buffer, ConvolutionShape, Kernel } from "../../compiler/program.ts";
import { elementsRead } from "../../compiler/reach.ts";
import { sizeOf } from "../../tensor/shape.ts";

/** Floating-point operations of a contraction: two per multiply-add, padding included; 0 for any other kernel. */
export function flopsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "convolution":
    case "filterGradient":
      return convolutionFlops(kernel.shape);
    case "dot":
      return 2 * sizeOf(kernel.axes);
    case "attention":
      return 2 * attentionFlops(kernel.shape);
    case "attentionGradient": {
      // Similarities again, and of the cotangents with the values; then a sum for each gradient.
      const ofSimilarity = [kernel.byQuery, kernel.byKey].filter((buffer) => buffer !== undefined).length;
      return (1 + Math.min(1, ofSimilarity) + ofSimilarity + (kernel.byValue ? 1 : 0)) * attentionFlops(kernel.shape);
    }
    default:
      return 0;
  }
}

function convolutionFlops({ batch, output, kernel, inChannels, outChannels }: ConvolutionShape): number {
  return 2 * sizeOf([batch, ...output, ...kernel, inChannels, outChannels]);
}

/** Of one product of queries with keys, or of weights with values. */
function attentionFlops({ batch, heads, queries, keys, channels }: AttentionShape): number {
  return 2 * sizeOf([batch, heads, queries, keys, channels]);
}

/**
 * Bytes that a kernel reads and writes. An element counts once per direction, and buffers count whole but where the kernel's
 * indices reach less of what it reads.
 *
 * @param elementBytes bytes of a buffer's elements: 4, whatever their dtype, where a device stores none as halves
 */
export function bytesOf(kernel: Kernel, elementBytes: (buffer: Buffer) => number = () => 4): number {
  let bytes = 0;
  for (const [buffer, elements] of elementsRead(kernel)) bytes += elementBytes(partsOf(buffer)[0]) * elements;
  for (const buffer of new Set(writesOf(kernel))) bytes += elementBytes(buffer) * buffer.length;
  return bytes;
}

/** The size of a kernel's work for people: "128 x 28x28, 3x3, 28 -> 56". */
export function describeKernel(kernel: Kernel): string {
  switch (kernel.kind) {
    case "convolution":
    case "filterGradient":
    case "transform":
      return describeConvolution(kernel.shape);
    case "reduce":
      return `${kernel.axes.slice(0, kernel.kept).join("x") || "1"} of ${kernel.axes.slice(kernel.kept).join("x") || "1"}`;
    case "attention":
    case "attentionGradient": {
      const { batch, heads, queries, keys, channels } = kernel.shape;
      return `${batch}x${heads} x ${queries} of ${keys}, ${channels}`;
    }
    default:
      return kernel.axes.join("x") || "1";
  }
}

function describeConvolution({ batch, output, kernel, strides, inChannels, outChannels }: ConvolutionShape): string {
  const stride = strides.every((step) => step === 1) ? "" : ` by ${strides.join("x")}`;
  return `${batch} x ${output.join("x")}, ${kernel.join("x")}${stride}, ${inChannels} -> ${outChannels}`;
}
