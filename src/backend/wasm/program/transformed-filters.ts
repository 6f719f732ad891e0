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
import { schemes } from "../kernels/winograd/scheme.ts";
import type { Scheme, TileSize } from "../kernels/winograd/scheme.ts";
import { chooseTile } from "../kernels/winograd/choice.ts";
import { paddedFilterColumns } from "../kernels/winograd/tiles.ts";

const TAPS = 9;

/** What G does to the rows and columns of a filter: [points, 9]. */
function filterTransform({ filters }: Scheme): Float32Array<ArrayBuffer> {
  const entries = filters.flatMap((a) =>
    filters.flatMap((b) => a.flatMap((fromRow) => b.map((fromColumn) => fromRow * fromColumn))),
  );
  return Float32Array.from(entries);
}

function isConvolving(kernel: Kernel): kernel is ConvolutionKernel | FilterGradientKernel {
  return kernel.kind === "convolution" || kernel.kind === "filterGradient";
}

/** Has convolutions that gain from it go by Winograd's algorithm, with products that transform the filters. */
export function useWinograd(program: Program, { strict }: { readonly strict: boolean }): Program {
  const buffers = [...program.buffers];
  const allocate = (length: number, source: BufferSource): Buffer => {
    const buffer: Buffer = { id: buffers.length, dtype: "f32", length, source };
    buffers.push(buffer);
    return buffer;
  };
  const matrices = new Map<TileSize, Buffer>();
  const matrixOf = (tile: TileSize): Buffer => {
    const data = filterTransform(schemes[tile]);
    const matrix = matrices.get(tile) ?? allocate(data.length, { kind: "literal", data });
    matrices.set(tile, matrix);
    return matrix;
  };
  const kernels = program.kernels.flatMap((kernel): Kernel[] => {
    const tile = isConvolving(kernel) && chooseTile(kernel, strict);
    if (!tile) return [kernel];
    if (kernel.kind === "filterGradient") return [{ ...kernel, tile }];
    const { inChannels, outChannels } = kernel.shape;
    const { points } = schemes[tile];
    const weight = allocate(points * inChannels * paddedFilterColumns(outChannels), { kind: "temporary" });
    return [transformFilters(kernel, points, matrixOf(tile), weight), { ...kernel, weight, tile }];
  });
  return { ...program, buffers, kernels };
}

/** For each in channel: [points, 9] x [9, out]. */
function transformFilters({ shape, weight }: ConvolutionKernel, points: number, matrix: Buffer, to: Buffer): DotKernel {
  const { inChannels, outChannels } = shape;
  const columns = paddedFilterColumns(outChannels);
  return {
    kind: "dot",
    axes: [inChannels, points, outChannels, TAPS],
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
