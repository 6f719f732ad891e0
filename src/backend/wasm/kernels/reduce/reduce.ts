import type { ReduceKernel } from "../../../../compiler/program.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { splitTasks } from "../tasks.ts";
import type { AxisRange } from "../tasks.ts";
import { emitColumns, vectorizesColumns } from "./columns.ts";
import { Reduction } from "./reduction.ts";
import { emitRowResult } from "./rows.ts";

/** Terms that one task reads, about. */
const TASK_ELEMENTS = 16384;

/** Reductions whose results lie next to each other are vectorised over the results, others over the terms. */
export function emitReduce(kernel: ReduceKernel, options: KernelOptions): KernelCode {
  const { axes, kept } = kernel;
  const reduction = new Reduction(kernel, options);
  const { target, variables, lastKept } = reduction;
  const terms = axes.slice(kept).reduce((product, n) => product * n, 1);
  const byColumn = vectorizesColumns(reduction);
  // Blocks of columns are only shared out when they are all there is.
  const shared = byColumn && kept > 1 ? axes.slice(0, kept - 1) : axes.slice(0, kept);
  const columns = byColumn && kept > 1 ? axes[lastKept] : 1;
  const tasks = splitTasks(shared, Math.max(1, TASK_ELEMENTS / (terms * columns)));
  const ranges = tasks.decode(target);
  reduction.registerIndices();
  variables.start(axes.map((_, axis) => ranges[axis]?.start ?? 0));
  nestKept(reduction, 0, ranges, byColumn);
  return target.finish(tasks.count);
}

/**
 * Loops over the kept axes from `axis` on.
 *
 * @returns how far the induction variables moved along that axis
 */
function nestKept(reduction: Reduction, axis: number, ranges: readonly AxisRange[], byColumn: boolean): number {
  const { kernel, code, variables, lastKept } = reduction;
  const { kept, axes } = kernel;
  if (byColumn && axis === lastKept) return emitColumns(reduction, ranges[axis]);
  if (axis >= kept) {
    emitRowResult(reduction);
    return 0;
  }
  const range = ranges[axis];
  if (range && range.end === undefined) {
    nestKept(reduction, axis + 1, ranges, byColumn);
    return 0;
  }
  code.countUp(range?.start ?? 0, range?.end ?? axes[axis], 1, () => {
    const moved = nestKept(reduction, axis + 1, ranges, byColumn);
    variables.advance([
      [axis, 1],
      [axis + 1, axis + 1 < kept ? -moved : 0],
    ]);
  });
  return axes[axis];
}
