import type { ConvolutionKernel, DotKernel, FilterGradientKernel, Kernel } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";

/** A kernel that is computed as a matrix product. */
export type ProductKernel = DotKernel | ConvolutionKernel | FilterGradientKernel;

/** Batches of [rows, inner] x [inner, columns]. */
export interface ProductSize {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
}

export function isProduct(kernel: Kernel): kernel is ProductKernel {
  return kernel.kind === "dot" || kernel.kind === "convolution" || kernel.kind === "filterGradient";
}

/**
 * A convolution is pixels x (window, channels) x out channels, for each part of the sum; a filter's gradient, for each part of the batch, is
 * (window, channels) x pixels x out channels.
 */
export function productSize(kernel: ProductKernel): ProductSize {
  if (kernel.kind === "dot") {
    const { axes, batch } = kernel;
    const [columns, inner] = axes.slice(-2);
    return { batches: sizeOf(axes.slice(0, batch)), rows: sizeOf(axes.slice(batch, -2)), columns, inner };
  }
  const { batch, output, kernel: window, inChannels, outChannels: columns } = kernel.shape;
  const [pixels, filter] = [sizeOf([batch, ...output]), sizeOf([...window, inChannels])];
  if (kernel.kind === "convolution") {
    const { parts = 1 } = kernel;
    return { batches: parts, rows: pixels, columns, inner: filter / parts };
  }
  return { batches: kernel.parts, rows: filter, columns, inner: pixels / kernel.parts };
}
