import { axisAffine, flatten } from "../../../compiler/affine.ts";
import { divisorUpTo } from "../../../compiler/passes/legalize.ts";
import type {
  AttentionGradientKernel,
  Buffer,
  DotKernel,
  Expression,
  FilterGradientKernel,
  Kernel,
  ReduceKernel,
  Store,
} from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { productSize } from "./product-size.ts";
import type { ProductKernel } from "./product-size.ts";
import { chooseTile } from "./tile.ts";

/** Workgroups that keep a large GPU busy. */
const ENOUGH_WORKGROUPS = 256;
/** What a part has to sum up, at least, to be worth a pass of its own. */
const FEWEST_TERMS = 128;

/** Long contractions with few results are summed in parts by more workgroups, and the parts by a reduction. */
export function splitContractions(kernels: readonly Kernel[]): Kernel[] {
  return kernels.flatMap((kernel) => {
    if (kernel.kind === "dot") return splitDot(kernel);
    if (kernel.kind === "attentionGradient") return splitAttentionGradient(kernel);
    return kernel.kind === "filterGradient" ? splitFilterGradient(kernel) : [kernel];
  });
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

function splitDot(kernel: DotKernel): Kernel[] {
  const { axes, batch, lhs, rhs, stores } = kernel;
  const { inner } = productSize(kernel);
  const outer = axes.slice(0, -1);
  const parts = partsOf(inner, tilesOf(kernel));
  if (parts === 1) return [kernel];
  const length = inner / parts;
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

function splitFilterGradient(kernel: FilterGradientKernel): Kernel[] {
  const { shape, parts, result } = kernel;
  const filter = sizeOf([...shape.kernel, shape.inChannels, shape.outChannels]);
  const more = divisorUpTo(shape.batch / parts, Math.ceil(ENOUGH_WORKGROUPS / tilesOf(kernel)));
  if (more === 1) return [kernel];
  const sums = temporary(more * result.length);
  const axes = [parts, filter, more];
  const value = load(sums, [more * filter, 1, filter]);
  const reduction = reduceOf(axes, value, [storeOf(result, axes.slice(0, 2), 3)]);
  return [{ ...kernel, parts: parts * more, result: sums }, reduction];
}

/** Equal parts of an inner dimension. */
function partsOf(inner: number, tiles: number): number {
  return divisorUpTo(inner, Math.min(Math.ceil(ENOUGH_WORKGROUPS / tiles), Math.floor(inner / FEWEST_TERMS)));
}

function tilesOf(kernel: ProductKernel): number {
  const { batches, rows, columns } = productSize(kernel);
  const tile = chooseTile({ rows, columns }, { smallTiles: false });
  return batches * Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);
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
