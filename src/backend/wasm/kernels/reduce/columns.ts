import { i32 } from "../../assembly/scalar-instructions.ts";
import { canVectorize } from "../../emit/vectorize.ts";
import type { AxisRange } from "../tasks.ts";
import type { Copy, Reduction } from "./reduction.ts";

/** Whether results lie next to each other along the last kept axis, and what they are made of as well. */
export function vectorizesColumns(reduction: Reduction): boolean {
  const { kernel, lastKept, lastReduced, termStores, roots } = reduction;
  if (kernel.kept === 0 || kernel.axes[lastKept] < 4) return false;
  const adjacent = [...termStores, ...kernel.stores].every((store) => store.index.coefficients[lastKept] === 1);
  const fits = reduction.adjacentLoads(lastKept) >= reduction.adjacentLoads(lastReduced);
  return adjacent && canVectorize(roots, lastKept) && fits;
}

/**
 * Results along the last kept axis, in blocks of vectors.
 *
 * @returns how far the induction variables moved along that axis
 */
export function emitColumns(reduction: Reduction, range: AxisRange | undefined): number {
  const { kernel, code, variables, lastKept } = reduction;
  const length = kernel.axes[lastKept];
  const most = reduction.mostCopies();
  if (range) {
    const { start, end = i32.add(start, 1) } = range;
    const at = code.local("i32", start);
    for (const [width, count] of [
      [4, most],
      [4, 1],
      [1, 1],
    ] as const) {
      const step = width * count;
      code.countUp(at, i32.sub(end, step - 1), step, (counter) => {
        emitBlock(reduction, width, 0, count);
        variables.advance([[lastKept, step]]);
        code.set(at, i32.add(counter, step));
      });
    }
    return 0;
  }
  const vectors = Math.floor(length / 4);
  const count = Math.ceil(vectors / Math.max(1, Math.ceil(vectors / most)));
  const rounds = Math.floor(vectors / count);
  let moved = 0;
  if (rounds > 1) {
    code.countUp(0, rounds, 1, () => {
      emitBlock(reduction, 4, 0, count);
      variables.advance([[lastKept, 4 * count]]);
    });
    moved = 4 * rounds * count;
  }
  const rest = vectors - moved / 4;
  for (let done = 0; done < rest; done += count) emitBlock(reduction, 4, 4 * done, Math.min(count, rest - done));
  for (let i = 4 * vectors; i < length; i++) emitBlock(reduction, 1, i - moved, 1);
  return moved;
}

/** `count` neighbouring vectors (or elements) of results from `lane` on. */
function emitBlock(reduction: Reduction, width: 1 | 4, lane: number, count: number): void {
  const { kernel, lastKept, lastReduced } = reduction;
  const copies = Array.from({ length: count }, (_, i): Copy => {
    const sums = reduction.startAccumulators(width);
    return { point: { width, axis: lastKept, lane: lane + i * width }, sums, results: sums };
  });
  for (const stage of kernel.stages) {
    const nest = (axis: number): void => {
      if (axis > lastReduced) reduction.terms(stage, copies);
      else reduction.loopReduced(axis, () => nest(axis + 1));
    };
    nest(kernel.kept);
  }
  for (let i = 0; i < count; i += 2) {
    const pair = copies.slice(i, i + 2).map((copy) => reduction.emitterAt(copy));
    reduction.store(pair, kernel.stores);
  }
}
