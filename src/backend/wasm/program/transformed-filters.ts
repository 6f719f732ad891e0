import type { Affine } from "../../../compiler/affine.ts";
import type {
  Buffer,
  BufferSource,
  ConvolutionKernel,
  DotKernel,
  Expression,
  FilterGradientKernel,
  Kernel,
  Program,
} from "../../../compiler/program.ts";
import { POINTS, paddedFilterColumns, suitsWinograd } from "../kernels/winograd/tiles.ts";

const TAPS = 9;

/** G of F(2, 3): four transformed taps of three. */
const G = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];

/** What G does to the rows and columns of a filter: [16, 9]. */
const FILTER_TRANSFORM = Float32Array.from(
  G.flatMap((a) => G.flatMap((b) => a.flatMap((fromRow) => b.map((fromColumn) => fromRow * fromColumn)))),
);

type Convolving = ConvolutionKernel | FilterGradientKernel;

/** Has convolutions that gain from it go by Winograd's algorithm, with products that transform the filters. */
export function useWinograd(program: Program): Program {
  const buffers = [...program.buffers];
  const allocate = (length: number, source: BufferSource): Buffer => {
    const buffer: Buffer = { id: buffers.length, dtype: "f32", length, source };
    buffers.push(buffer);
    return buffer;
  };
  const suits = (kernel: Kernel): kernel is Convolving =>
    (kernel.kind === "convolution" || kernel.kind === "filterGradient") && suitsWinograd(kernel.shape);
  if (!program.kernels.some(suits)) return program;
  const matrix = allocate(FILTER_TRANSFORM.length, { kind: "literal", data: FILTER_TRANSFORM });
  const kernels = program.kernels.flatMap((kernel): Kernel[] => {
    if (!suits(kernel)) return [kernel];
    if (kernel.kind === "filterGradient") return [{ ...kernel, transformed: true }];
    const { inChannels, outChannels } = kernel.shape;
    const weight = allocate(POINTS * inChannels * paddedFilterColumns(outChannels), { kind: "temporary" });
    return [transformFilters(kernel, matrix, weight), { ...kernel, weight, transformed: true }];
  });
  return { ...program, buffers, kernels };
}

/** For each in channel: [16, 9] x [9, out]. */
function transformFilters({ shape, weight }: ConvolutionKernel, matrix: Buffer, to: Buffer): DotKernel {
  const { inChannels, outChannels } = shape;
  const columns = paddedFilterColumns(outChannels);
  return {
    kind: "dot",
    axes: [inChannels, POINTS, outChannels, TAPS],
    batch: 1,
    lhs: { buffer: matrix, index: indexBy(0, TAPS, 0, 1) },
    rhs: { buffer: weight, index: indexBy(outChannels, 0, 1, inChannels * outChannels) },
    stores: [{ buffer: to, index: indexBy(columns, inChannels * columns, 1), value: RESULT }],
  };
}

const RESULT: Expression = { kind: "result", dtype: "f32", slot: 0 };

function indexBy(...coefficients: number[]): Affine {
  return { offset: 0, coefficients };
}
