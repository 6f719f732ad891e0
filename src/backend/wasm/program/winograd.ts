import type {
  Buffer,
  ConvolutionKernel,
  Expression,
  FilterGradientKernel,
  Kernel,
  Program,
  TransformKernel,
} from "../../../compiler/program.ts";
import { chooseAlgorithm } from "../kernels/winograd/choice.ts";
import type { TileSize } from "../kernels/winograd/scheme.ts";
import { cotangentOf, filterElements, imageElements } from "../kernels/winograd/transform-kernel.ts";

type Convolving = ConvolutionKernel | FilterGradientKernel;

/** Has convolutions that gain from it go by Winograd's algorithm, with kernels ahead that transform filters or images. */
export function useWinograd(program: Program, { strict }: { readonly strict: boolean }): Program {
  const buffers = [...program.buffers];
  const transform = (kernel: Convolving, tile: TileSize, of: TransformKernel["of"]): TransformKernel => {
    const { shape } = kernel;
    const result: Buffer = {
      id: buffers.length,
      dtype: "f32",
      length: elementsOf(kernel, tile, of),
      source: TEMPORARY,
    };
    buffers.push(result);
    return { kind: "transform", shape, tile, of, input: inputOf(kernel, of), result };
  };
  const kernels = program.kernels.flatMap((kernel): Kernel[] => {
    if (kernel.kind !== "convolution" && kernel.kind !== "filterGradient") return [kernel];
    const algorithm = chooseAlgorithm(kernel, strict);
    if (!algorithm) return [kernel];
    const { tile, ahead } = algorithm;
    const filters = ahead === "filters" ? [transform(kernel, tile, "filters")] : [];
    const windows = ahead === "images" ? [transform(kernel, tile, "windows")] : [];
    const input = windows.length > 0 ? loadOf(windows[0].result) : kernel.input;
    if (kernel.kind === "convolution") {
      const weight = filters.length > 0 ? filters[0].result : kernel.weight;
      return [...filters, ...windows, { ...kernel, tile, ahead, input, weight }];
    }
    const cotangents = windows.length > 0 ? [transform(kernel, tile, "cotangents")] : [];
    const cotangent = windows.length > 0 ? cotangents[0].result : kernel.cotangent;
    return [...windows, ...cotangents, { ...kernel, tile, isAhead: windows.length > 0, input, cotangent }];
  });
  return { ...program, buffers, kernels };
}

const TEMPORARY = { kind: "temporary" } as const;

function elementsOf({ shape }: Convolving, tile: TileSize, of: TransformKernel["of"]): number {
  if (of === "filters") return filterElements(shape, tile);
  return imageElements(shape, tile, of === "windows" ? shape.inChannels : shape.outChannels);
}

function inputOf(kernel: Convolving, of: TransformKernel["of"]): Expression {
  if (of === "windows") return kernel.input;
  return kernel.kind === "convolution" ? loadOf(kernel.weight) : cotangentOf(kernel);
}

/** Some of a buffer: which part it is, the kernel that reads it knows. */
function loadOf(buffer: Buffer): Expression {
  return { kind: "load", dtype: "f32", buffer, index: { offset: 0, coefficients: [0, 0, 0, 0] } };
}
