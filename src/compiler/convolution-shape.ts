import type { ConvolutionWindow } from "../tensor/op.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ConvolutionShape } from "./program.ts";

/**
 * What a convolution of images is.
 *
 * @param output the shape of the results, NHWC
 * @param kernel height and width of the filters, and more
 */
export function convolutionShape(
  x: Tensor,
  output: readonly number[],
  kernel: readonly number[],
  outChannels: number,
  op: ConvolutionWindow,
): ConvolutionShape {
  return {
    batch: x.shape[0],
    input: [x.shape[1], x.shape[2]],
    output: [output[1], output[2]],
    kernel: [kernel[0], kernel[1]],
    strides: op.strides,
    padding: op.padding,
    inChannels: x.shape[3],
    outChannels,
  };
}
