import type { Accumulator, Stage } from "../../../../compiler/program.ts";
import type { Local, Operand } from "../../assembly/instruction.ts";
import { f32x4, i32x4, i8x16 } from "../../assembly/vector-instructions.ts";
import { Lanes } from "../../emit/lanes.ts";
import { canVectorize } from "../../emit/vectorize.ts";
import type { Copy, Reduction } from "./reduction.ts";

/** The accumulators of one result that is vectorised over its terms. */
interface RowSums {
  /** Of the last axis's terms. */
  readonly vectors: number;
  /** Several sets, so that additions do not wait for each other. */
  readonly wide: readonly (readonly Local[])[];
  readonly sums: readonly Local[];
  /** Finished results, four times each. */
  readonly splats: Local[];
}

/** Sets of accumulators: an addition takes three or four cycles before another can use its result. */
const MOST_SETS = 4;

/** Bytes in an order that swaps the halves of a vector, and neighbouring lanes: after both, all lanes hold what all held. */
const SWAPS = [
  [2, 3, 0, 1],
  [1, 0, 3, 2],
].map((lanes) => lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)));

/** One result, vectorised over its terms where these lie next to each other. */
export function emitRowResult(reduction: Reduction): void {
  const { kernel, lastReduced: last, values, termStores } = reduction;
  const vectorizes = canVectorize(values, last) && reduction.adjacentLoads(last) > 0;
  const adjacent = termStores.every((store) => store.index.coefficients[last] === 1);
  const vectors = vectorizes && adjacent ? Math.floor(kernel.axes[last] / 4) : 0;
  const copies = vectors > 0 ? Math.min(MOST_SETS, reduction.mostCopies(), vectors) : 0;
  const wide = Array.from({ length: copies }, () => reduction.startAccumulators(4));
  const sums = reduction.startAccumulators(1);
  const row: RowSums = { vectors, wide, sums, splats: [] };
  for (const stage of kernel.stages) {
    emitTerms(reduction, kernel.kept, stage, row);
    for (const accumulator of stage.accumulators) gatherLanes(reduction, accumulator, row);
  }
  const emitter = reduction.emitterAt({ point: { width: 1, axis: last, lane: 0 }, results: sums });
  reduction.store([emitter], kernel.stores);
}

/** Loops over the reduced axes from `axis` on. */
function emitTerms(reduction: Reduction, axis: number, stage: Stage, row: RowSums): void {
  const { kernel, code, variables, lastReduced } = reduction;
  if (axis < lastReduced) {
    reduction.loopReduced(axis, () => emitTerms(reduction, axis + 1, stage, row));
    return;
  }
  const { vectors, wide, sums, splats } = row;
  const passes = (rounds: number, width: 1 | 4, copies: readonly (readonly Local[])[]): void => {
    if (rounds === 0) return;
    code.countUp(0, rounds, 1, () => {
      const results = width === 4 ? splats : sums;
      const copyAt = (own: readonly Local[], i: number): Copy => ({
        point: { width, axis, lane: i * width },
        sums: own,
        results,
      });
      reduction.terms(stage, copies.map(copyAt));
      variables.advance([[axis, width * copies.length]]);
    });
  };
  const rounds = vectors > 0 ? Math.floor(vectors / wide.length) : 0;
  passes(rounds, 4, wide);
  passes(vectors - rounds * wide.length, 4, wide.slice(0, 1));
  passes(kernel.axes[axis] - vectors * 4, 1, [sums]);
  variables.advance([[axis, -kernel.axes[axis]]]);
}

/** Brings the vectors' parts of a result together, and keeps it in a vector for later stages. */
function gatherLanes(reduction: Reduction, accumulator: Accumulator, { vectors, wide, sums, splats }: RowSums): void {
  if (vectors === 0) return;
  const { slot, dtype } = accumulator;
  const [first, ...others] = wide;
  const vector = first[slot];
  const lanes = vector as Operand<"v128">;
  for (const own of others) reduction.combine(4, accumulator, vector, own[slot]);
  for (const order of SWAPS) reduction.combine(4, accumulator, vector, i8x16.shuffle(order, lanes, lanes));
  reduction.combine(1, accumulator, sums[slot], (dtype === "f32" ? f32x4 : i32x4).extract_lane(0, lanes));
  if (reduction.kernel.stages.length > 1) {
    const wideLanes = new Lanes(reduction.code, 4);
    splats[slot] = wideLanes.let(wideLanes.splat(dtype, sums[slot]));
  }
}
