import type { Affine } from "../../../../compiler/affine.ts";
import { flatten, axisAffine } from "../../../../compiler/affine.ts";
import { divisorUpTo } from "../../../../compiler/passes/legalize.ts";
import { mapIndices } from "../../../../compiler/program.ts";
import type { Accumulator, Buffer, Expression, Kernel, ReduceKernel, Store } from "../../../../compiler/program.ts";
import { sizeOf } from "../../../../tensor/shape.ts";
import { ENOUGH_WORKGROUPS, isDivisible, layoutOf, serialStepsOf } from "./layout.ts";

/** A reduction of more elements than this, on fewer workgroups than that, leaves most of a large GPU idle. */
const LARGE = 65_536;
const FEW_WORKGROUPS = 128;
/** More loads one after the other take longer than a pass of its own. */
const MOST_STEPS = 64;

/** Long reductions with few results are taken in parts by more workgroups, and the parts by another. */
export function splitReductions(kernels: readonly Kernel[]): Kernel[] {
  return kernels.flatMap((kernel): Kernel[] => (kernel.kind === "reduce" ? splitReduction(kernel) : [kernel]));
}

function splitReduction(kernel: ReduceKernel): ReduceKernel[] {
  if (!isDivisible(kernel)) return [kernel];
  const [stage] = kernel.stages;
  const split = splitOf(kernel, wantedParts(kernel));
  if (split.parts === 1) return [kernel];
  const sums = stage.accumulators.map((accumulator) => ({ accumulator, buffer: sumsOf(kernel, accumulator, split) }));
  return [partialSums(kernel, sums, split), sumOfParts(kernel, sums, split)];
}

function wantedParts(kernel: ReduceKernel): number {
  const layout = layoutOf(kernel);
  const isLarge = sizeOf(kernel.axes) > LARGE && layout.workgroups < FEW_WORKGROUPS;
  const steps = serialStepsOf(kernel, layout);
  return Math.max(
    isLarge ? Math.ceil(ENOUGH_WORKGROUPS / layout.workgroups) : 1,
    steps > MOST_STEPS ? Math.ceil((2 * steps) / MOST_STEPS) : 1,
  );
}

/** Which of the reduced axes count parts: the outermost ones, and of the next a divisor. */
interface Split {
  readonly parts: number;
  readonly whole: number;
  readonly divisor: number;
}

function splitOf({ axes, kept }: ReduceKernel, wanted: number): Split {
  const reduced = axes.slice(kept);
  let [parts, whole] = [1, 0];
  while (whole < reduced.length - 1 && parts * reduced[whole] <= wanted) parts *= reduced[whole++];
  const divisor = divisorUpTo(reduced[whole], Math.floor(wanted / parts));
  return { parts: parts * divisor, whole, divisor };
}

interface Sums {
  readonly accumulator: Accumulator;
  /** [parts, ...results] */
  readonly buffer: Buffer;
}

function sumsOf({ axes, kept }: ReduceKernel, { dtype }: Accumulator, { parts }: Split): Buffer {
  return { id: -1, dtype, length: parts * sizeOf(axes.slice(0, kept)), source: { kind: "temporary" } };
}

/** The parts become results, ahead of the results that there are. */
function partialSums(kernel: ReduceKernel, sums: readonly Sums[], { whole, divisor }: Split): ReduceKernel {
  const { axes, kept } = kernel;
  const [results, reduced] = [axes.slice(0, kept), axes.slice(kept)];
  const length = reduced[whole] / divisor;
  const [outer, inner] = [
    [...reduced.slice(0, whole), divisor],
    [length, ...reduced.slice(whole + 1)],
  ];
  const moved = ({ offset, coefficients }: Affine): Affine => {
    const [ofResults, ofTerms] = [coefficients.slice(0, kept), coefficients.slice(kept)];
    const ofParts = [...ofTerms.slice(0, whole), ofTerms[whole] * length];
    return { offset, coefficients: [...ofParts, ...ofResults, ...ofTerms.slice(whole)] };
  };
  const allAxes = [...outer, ...results, ...inner];
  const allKept = outer.length + kept;
  const index = flatten(
    allAxes.slice(0, allKept).map((_, axis) => axisAffine(axis, allAxes.length)),
    allAxes.slice(0, allKept),
    allAxes.length,
  );
  const memo = new Map<Expression, Expression>();
  const accumulators = sums.map(({ accumulator }) => ({
    ...accumulator,
    value: mapIndices(accumulator.value, moved, memo),
  }));
  const stores = sums.map(({ accumulator: { dtype, slot }, buffer }): Store => {
    return { buffer, index, value: { kind: "result", dtype, slot } };
  });
  return { kind: "reduce", axes: allAxes, kept: allKept, stages: [{ accumulators, stores: [] }], stores };
}

/** What the whole reduction made of its sums is made of those of the parts. */
function sumOfParts({ axes, kept, stores }: ReduceKernel, sums: readonly Sums[], { parts }: Split): ReduceKernel {
  const results = axes.slice(0, kept);
  const rank = kept + 1;
  const { coefficients } = flatten(
    results.map((_, axis) => axisAffine(axis, rank)),
    results,
    rank,
  );
  const index = { offset: 0, coefficients: coefficients.with(kept, sizeOf(results)) };
  const moved = (affine: Affine): Affine => ({
    offset: affine.offset,
    coefficients: [...affine.coefficients.slice(0, kept), 0],
  });
  const memo = new Map<Expression, Expression>();
  return {
    kind: "reduce",
    axes: [...results, parts],
    kept,
    stages: [
      {
        accumulators: sums.map(({ accumulator, buffer }) => {
          return { ...accumulator, value: { kind: "load", dtype: accumulator.dtype, buffer, index } };
        }),
        stores: [],
      },
    ],
    stores: stores.map((store) => ({
      ...store,
      index: moved(store.index),
      value: mapIndices(store.value, moved, memo),
    })),
  };
}
