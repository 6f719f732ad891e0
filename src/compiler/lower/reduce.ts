import type { OpOf } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { flatten } from "../affine.ts";
import type { Affine } from "../affine.ts";
import { coalesce, permuteAxes } from "./axes.ts";
import type { BufferTable } from "./buffers.ts";
import { buildOver, sameCoordinates } from "../expression.ts";
import type { Coordinates, Space } from "../expression.ts";
import { builderFor, loops, reframe, withBuffers } from "./lowering.ts";
import type { PendingStore } from "./lowering.ts";
import { visitExpression } from "../program.ts";
import type { Accumulator, Expression, Kernel, Stage } from "../program.ts";
import type { ScheduledKernel } from "../passes/scheduled-kernel.ts";

/** Thrown where stacked kernels do not read each other's results at the place where they are made. */
export class NeedsOwnKernels extends Error {
  constructor() {
    super("internal: stacked kernels have to run one by one");
  }
}

interface Reduction {
  readonly op: OpOf<"reduce">;
  readonly input: Tensor;
}

/** Reductions of one shape over the same axes, what follows from their results, and work over all terms that uses them. */
export function lowerReduce(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const reductions = kernel.results.map(({ op, inputs: [input] }): Reduction => ({ op: op as OpOf<"reduce">, input }));
  const [{ op, input }] = reductions;
  const termShape = input.shape;
  const keptShape = termShape.filter((_, axis) => !op.axes.includes(axis));
  const isOverTerms = (store: Tensor): boolean => (kernel.overTerms ?? []).includes(store);
  const built = buildOver([...keptShape, ...op.axes.map((axis) => termShape[axis])], (space) => {
    const builder = builderFor(space.axes, kernel, table);
    const rank = space.axes.length;
    const kept = space.coordinates.slice(0, keptShape.length);
    const reduced = space.coordinates.slice(keptShape.length);
    const terms = interleave(kept, reduced, op.axes);
    const stores = kernel.stores.map((store): PendingStore => {
      const at = isOverTerms(store) ? terms : reframe(kept, keptShape, store.shape, rank);
      return { index: flatten(at, store.shape, rank), value: builder.at(store, at) };
    });
    const values = reductions.map((reduction) => builder.at(reduction.input, terms));
    for (const at of builder.resultCoordinates.values()) if (!sameCoordinates(at, kept)) throw new NeedsOwnKernels();
    return { axes: space.axes, stores, values, isKept: keptAxes(space, reduced) };
  });
  const axesWhere = (isKept: boolean): number[] =>
    built.axes.flatMap((_, axis) => (built.isKept[axis] === isKept ? [axis] : []));
  const [kept, reduced] = [axesWhere(true), axesWhere(false)];
  const stores = withBuffers(kernel.stores, built.stores, table);
  const whole = loops(built.axes, [], { stores, values: built.values });
  const result = coalesce(permuteAxes(whole, [...kept, ...reduced], [kept.length, reduced.length]));
  const accumulators = reductions.map((reduction, i): Accumulator => ({
    slot: i,
    reduction: reduction.op.reduction,
    dtype: reduction.input.dtype,
    value: result.values[i],
  }));
  const overTerms = result.stores.filter((_, i) => isOverTerms(kernel.stores[i]));
  return {
    kind: "reduce",
    axes: result.axes,
    kept: result.groups[0],
    stages: stagesOf(accumulators, overTerms),
    stores: result.stores.filter((_, i) => !isOverTerms(kernel.stores[i])),
  };
}

/** Each accumulator and store goes into the first pass over the terms in which all that it uses is known. */
function stagesOf(accumulators: readonly Accumulator[], stores: Stage["stores"]): Stage[] {
  const stageOf = new Map<number, number>();
  const firstStage = (value: Expression): number => {
    let stage = 0;
    visitExpression(value, (node) => {
      if (node.kind === "result") stage = Math.max(stage, (stageOf.get(node.slot) ?? 0) + 1);
    });
    return stage;
  };
  const stages: { accumulators: Accumulator[]; stores: Stage["stores"][number][] }[] = [];
  const at = (stage: number): (typeof stages)[number] => (stages[stage] ??= { accumulators: [], stores: [] });
  for (const accumulator of accumulators) {
    const stage = firstStage(accumulator.value);
    stageOf.set(accumulator.slot, stage);
    at(stage).accumulators.push(accumulator);
  }
  for (const store of stores) at(firstStage(store.value)).stores.push(store);
  return stages;
}

function keptAxes(space: Space, reduced: Coordinates): boolean[] {
  return space.axes.map((_, axis) => reduced.every(({ coefficients }) => coefficients[axis] === 0));
}

function interleave(kept: Coordinates, reduced: Coordinates, axes: readonly number[]): Coordinates {
  const coordinates: Affine[] = [];
  let next = 0;
  for (let axis = 0; axis < kept.length + reduced.length; axis++) {
    const at = axes.indexOf(axis);
    coordinates.push(at === -1 ? kept[next++] : reduced[at]);
  }
  return coordinates;
}
