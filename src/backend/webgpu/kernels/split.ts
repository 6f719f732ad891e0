import { axisAffine, flatten } from "../../../compiler/affine.ts";
import { mapIndices } from "../../../compiler/program.ts";
import type {
  AttentionGradientKernel,
  Buffer,
  ConvolutionKernel,
  DotKernel,
  Expression,
  FilterGradientKernel,
  Kernel,
  ReduceKernel,
  Store,
} from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { productSize } from "./product-size.ts";
import type { ProductSize } from "./product-size.ts";
import { ENOUGH_WORKGROUPS, tilesFor, workgroupsOf } from "./tile.ts";
import type { TileTraits } from "./tile.ts";

/** What a part has to sum up, at least, to be worth a pass of its own. */
const FEWEST_TERMS = 128;

/** Contractions with too few results to keep a GPU busy are summed in parts by more workgroups, and the parts by a reduction. */
export function splitContractions(kernels: readonly Kernel[], adapter: TileTraits): Kernel[] {
  return kernels.flatMap((kernel) => {
    switch (kernel.kind) {
      case "dot":
        return splitDot(kernel, adapter);
      case "convolution":
        return splitConvolution(kernel, adapter);
      case "filterGradient":
        return splitFilterGradient(kernel, adapter);
      case "attentionGradient":
        return splitAttentionGradient(kernel);
      default:
        return [kernel];
    }
  });
}

/** A smaller tile costs less than a pass of its own, unless it is the smallest. Where parts are needed, they make up for large tiles. */
function partsOf(size: ProductSize, adapter: TileTraits): number {
  // For a driver in software the tiles are those of a GPU, so that it computes what one would.
  const tiles = tilesFor(size, { ...adapter, smallTiles: false });
  if (tiles.slice(0, 2).some((tile) => workgroupsOf(size, tile) >= ENOUGH_WORKGROUPS)) return 1;
  const choices = MULTIPLES.map((multiple) => equalParts(size.inner, multiple));
  for (const parts of choices)
    for (const tile of tiles) {
      const partsFor = (workgroups: number): number | undefined =>
        parts.find((count) => count * workgroupsOf(size, tile) >= workgroups);
      const enough = partsFor(2 * ENOUGH_WORKGROUPS) ?? partsFor(ENOUGH_WORKGROUPS);
      if (enough !== undefined) return enough;
    }
  return Math.max(1, ...(choices.find((parts) => parts.length > 1) ?? []));
}

/** What a part has a multiple of terms of, the best first: whole tiles, or vectors of four. */
const MULTIPLES = [16, 4];

/** In how many equal parts so many terms can be summed up, in ascending order. */
function equalParts(terms: number, multiple: number): number[] {
  const unit = terms % multiple === 0 ? multiple : 1;
  const isPossible = (parts: number): boolean => terms % (parts * unit) === 0;
  return Array.from({ length: Math.max(1, Math.floor(terms / FEWEST_TERMS)) }, (_, i) => i + 1).filter(isPossible);
}

/** The gradient by the queries has those as rows, the others have the keys: each workgroup sums up rows of its own. */
function splitAttentionGradient(kernel: AttentionGradientKernel): Kernel[] {
  const { byQuery, byKey, byValue } = kernel;
  if (!byQuery || !(byKey ?? byValue)) return [kernel];
  return [
    { ...kernel, byKey: undefined, byValue: undefined },
    { ...kernel, byQuery: undefined },
  ];
}

function splitDot(kernel: DotKernel, adapter: TileTraits): Kernel[] {
  const { axes, batch, lhs, rhs, stores } = kernel;
  const size = productSize(kernel);
  const outer = axes.slice(0, -1);
  const parts = partsOf(size, adapter);
  if (parts === 1) return [kernel];
  const length = size.inner / parts;
  const view = ({ buffer, index }: DotKernel["lhs"]): DotKernel["lhs"] => {
    const { offset, coefficients } = index;
    return { buffer, index: { offset, coefficients: [coefficients[axes.length - 1] * length, ...coefficients] } };
  };
  const splitAxes = [parts, ...outer, length];
  const sums = temporary(parts * sizeOf(outer));
  return [
    {
      kind: "dot",
      axes: splitAxes,
      batch: batch + 1,
      lhs: view(lhs),
      rhs: view(rhs),
      stores: [storeOf(sums, splitAxes.slice(0, -1), splitAxes.length)],
    },
    sumOfParts(sums, [...outer, parts], sizeOf(outer), stores),
  ];
}

function splitConvolution(kernel: ConvolutionKernel, adapter: TileTraits): Kernel[] {
  const { axes, stores } = kernel;
  const parts = partsOf(productSize(kernel), adapter);
  if (parts === 1) return [kernel];
  const [results, splitAxes] = [sizeOf(axes), [parts, ...axes]];
  const sums = temporary(parts * results);
  const overParts = stores.map(({ buffer, index, value }) => ({
    buffer,
    index: withoutPart(index),
    value: mapIndices(value, withoutPart),
  }));
  return [
    { ...kernel, parts, axes: splitAxes, stores: [storeOf(sums, splitAxes, splitAxes.length)] },
    sumOfParts(sums, [...axes, parts], results, overParts),
  ];
}

/** The same value where the part is a further axis. */
function withoutPart({ offset, coefficients }: Store["index"]): Store["index"] {
  return { offset, coefficients: [...coefficients, 0] };
}

function splitFilterGradient(kernel: FilterGradientKernel, adapter: TileTraits): Kernel[] {
  const { shape, parts, result } = kernel;
  const filter = sizeOf([...shape.kernel, shape.inChannels, shape.outChannels]);
  const more = partsOf(productSize(kernel), adapter);
  if (more === 1) return [kernel];
  const sums = temporary(more * result.length);
  const axes = [parts, filter, more];
  const value = load(sums, [more * filter, 1, filter]);
  const reduction = reduceOf(axes, value, [storeOf(result, axes.slice(0, 2), 3)]);
  return [{ ...kernel, parts: parts * more, result: sums }, reduction];
}

/** The parts of each result lie `step` apart; `stores` make of the sum what the whole kernel made of it. */
function sumOfParts(sums: Buffer, axes: readonly number[], step: number, stores: readonly Store[]): ReduceKernel {
  const { coefficients } = storeOf(sums, axes.slice(0, -1), axes.length).index;
  return reduceOf(axes, load(sums, coefficients.with(axes.length - 1, step)), stores);
}

function reduceOf(axes: readonly number[], value: Expression, stores: readonly Store[]): ReduceKernel {
  const accumulators = [{ slot: 0, reduction: "sum", dtype: "f32", value }] as const;
  return { kind: "reduce", axes, kept: axes.length - 1, stages: [{ accumulators, stores: [] }], stores };
}

/** Stores a kernel's result, row by row over the leading axes. */
function storeOf(buffer: Buffer, axes: readonly number[], rank: number): Store {
  const coordinates = axes.map((_, axis) => axisAffine(axis, rank));
  return { buffer, index: flatten(coordinates, axes, rank), value: { kind: "result", dtype: "f32", slot: 0 } };
}

function load(buffer: Buffer, coefficients: readonly number[]): Expression {
  return { kind: "load", dtype: "f32", buffer, index: { offset: 0, coefficients } };
}

function temporary(length: number): Buffer {
  return { id: -1, dtype: "f32", length, source: { kind: "temporary" } };
}
