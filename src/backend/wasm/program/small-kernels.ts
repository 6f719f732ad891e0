import { expressionsOf, readsOf, writesOf } from "../../../compiler/accesses.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type { Buffer, Expression, Kernel } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import type { Single, Step } from "./chains.ts";

/** Operations on single numbers that take a few microseconds: to share them out, and to meet afterwards, takes as long. */
const SMALL = 100_000;
/** One thread does no more than this in one go while others may be idle. */
const MOST = 4 * SMALL;

/**
 * Has one thread run small kernels one after another where each depends on one before: meeting after each of them would
 * take as long as they do.
 */
export function joinSmallKernels(steps: readonly Step[]): Step[] {
  const joined: Step[] = [];
  let run = new Run();
  const close = (): void => {
    joined.push(...run.steps());
    run = new Run();
  };
  for (const step of steps) {
    const work = step.kind === "single" ? workOf(step.kernel) : Infinity;
    if (step.kind !== "single" || work > SMALL) {
      close();
      joined.push(step);
      continue;
    }
    if (!run.takes(step, work)) close();
    run.add(step, work);
  }
  close();
  return joined;
}

/** Small kernels that one thread runs. */
class Run {
  readonly #singles: Single[] = [];
  readonly #written = new Set<Buffer>();
  #work = 0;

  /** Whether a kernel gains from running here: it waits for what is here, or all of it is next to nothing. */
  takes({ kernel }: Single, work: number): boolean {
    if (this.#work + work > MOST) return false;
    return this.#work + work <= SMALL || [...readsOf(kernel)].some((buffer) => this.#written.has(buffer));
  }

  add(single: Single, work: number): void {
    this.#singles.push(single);
    this.#work += work;
    for (const buffer of writesOf(single.kernel)) this.#written.add(buffer);
  }

  /** As a chain with a single slice: everything. */
  steps(): Step[] {
    if (this.#singles.length < 2) return this.#singles;
    const members = this.#singles.map(({ kernel, place }) => ({ kernel, place, sliced: new Set<Buffer>() }));
    return [{ kind: "chain", slices: 1, members, own: [] }];
  }
}

function workOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "map":
    case "reduce": {
      let operations = 0;
      const seen = new Set<Expression>();
      for (const root of expressionsOf(kernel)) visitExpression(root, () => operations++, seen);
      return sizeOf(kernel.axes) * operations;
    }
    case "dot":
      return 2 * sizeOf(kernel.axes);
    case "convolution":
    case "filterGradient":
    case "transform":
    case "attention":
    case "attentionGradient":
      return Infinity;
  }
}
