import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer } from "../../../compiler/program.ts";
import { kernelsOf } from "./chains.ts";
import type { Step } from "./chains.ts";

/** Bytes of variables that are written in one go: threads meet once for all of them. */
const GROUP_BYTES = 2 ** 18;

/** A kernel may make as many gradients at once; what more of them follow from is the backward pass itself. */
const MOST_VARIABLES = 4;

/**
 * Runs what does nothing but update variables soon after what it reads is there, rather than in the order of the graph, in
 * which updates come last: gradients are final while the backward pass goes on, and what they are made of needs no
 * memory any more. Other steps keep their order.
 *
 * @param results buffers that are used after the steps
 */
export function updateEarly(steps: readonly Step[], results: ReadonlySet<Buffer>): Step[] {
  const uses = steps.map(usesOf);
  const updates = updatesAmong(steps, uses, results);
  const places = placesOf(uses, updates);
  const early: Step[] = [];
  let waiting = [...updates];
  const run = (isDue: (update: number) => boolean): void => {
    early.push(...waiting.filter(isDue).map((update) => steps[update]));
    waiting = waiting.filter((update) => !isDue(update));
  };
  let others = 0;
  steps.forEach((step, i) => {
    if (updates.has(i)) return;
    // What one reads is as it is for those after it.
    if (waiting.some((update) => update < i && meet(uses[update].reads, uses[i].writes))) run((update) => update < i);
    early.push(step);
    others++;
    const isReady = (update: number): boolean => places[update] <= others;
    const bytes = waiting.filter(isReady).reduce((sum, update) => sum + variableBytes(uses[update]), 0);
    if (bytes >= GROUP_BYTES) run(isReady);
  });
  run(() => true);
  return early;
}

function meet(a: ReadonlySet<Buffer>, b: ReadonlySet<Buffer>): boolean {
  return [...a].some((buffer) => b.has(buffer));
}

interface Uses {
  readonly reads: ReadonlySet<Buffer>;
  readonly writes: ReadonlySet<Buffer>;
}

function usesOf(step: Step): Uses {
  const kernels = kernelsOf(step);
  return {
    reads: new Set(kernels.flatMap((kernel) => Array.from(readsOf(kernel)))),
    writes: new Set(kernels.flatMap(writesOf)),
  };
}

const isVariable = ({ source }: Buffer): boolean => source.kind === "variable";

function variableBytes({ writes }: Uses): number {
  return [...writes].filter(isVariable).reduce((sum, { length }) => sum + 4 * length, 0);
}

/** The steps of which nothing comes but the next values of a few variables, in their order. */
function updatesAmong(steps: readonly Step[], uses: readonly Uses[], results: ReadonlySet<Buffer>): Set<number> {
  const updates: number[] = [];
  /** What other steps read. */
  const needed = new Set(results);
  /** The variables that follow from what updates read. */
  const ends = new Map<Buffer, Set<Buffer>>();
  for (let i = steps.length - 1; i >= 0; i--) {
    const { reads, writes } = uses[i];
    const variables = new Set([...writes].filter(isVariable));
    for (const buffer of writes) for (const variable of ends.get(buffer) ?? []) variables.add(variable);
    if (variables.size > MOST_VARIABLES || !isLight(steps[i]) || meet(writes, needed)) {
      for (const buffer of reads) needed.add(buffer);
      continue;
    }
    updates.push(i);
    for (const buffer of reads) ends.set(buffer, new Set([...(ends.get(buffer) ?? []), ...variables]));
  }
  return new Set(updates.toReversed());
}

/** Whether a step is at most a product: convolutions run where the graph has them. */
function isLight(step: Step): boolean {
  return step.kind === "single" && ["map", "reduce", "dot"].includes(step.kernel.kind);
}

/** For each update: after how many of the other steps it may run, whatever it has to do with other updates. */
function placesOf(uses: readonly Uses[], updates: ReadonlySet<number>): number[] {
  const written = new Map<Buffer, number>();
  const used = new Map<Buffer, number>();
  let others = 0;
  return uses.map(({ reads, writes }, i) => {
    const isUpdate = updates.has(i);
    if (!isUpdate) others++;
    const after = Math.max(
      0,
      ...[...reads].map((buffer) => written.get(buffer) ?? 0),
      ...[...writes].map((buffer) => used.get(buffer) ?? 0),
    );
    const place = isUpdate ? after : others;
    for (const buffer of writes) written.set(buffer, Math.max(place, written.get(buffer) ?? 0));
    for (const buffer of [...reads, ...writes]) used.set(buffer, Math.max(place, used.get(buffer) ?? 0));
    return place;
  });
}
