import type { Buffer, Program } from "./program.ts";

/** From which to which of a program's steps a buffer holds something. */
export interface Lifetime {
  readonly buffer: Buffer;
  readonly bytes: number;
  /** -1: from before the first. */
  readonly first: number;
  /** The number of steps: to after the last. */
  readonly last: number;
}

/**
 * The lifetimes of the temporaries and inputs that are used, in the order of their first use.
 *
 * @param steps the buffers that each step reads or writes; a temporary is written in the first that names it
 */
export function lifetimesOf(
  { outputs }: Pick<Program, "outputs">,
  steps: readonly Iterable<Buffer>[],
  bytesOf: (buffer: Buffer) => number,
): Lifetime[] {
  const first = new Map<Buffer, number>();
  const last = new Map<Buffer, number>();
  steps.forEach((buffers, step) => {
    for (const buffer of buffers) {
      if (!first.has(buffer)) first.set(buffer, step);
      last.set(buffer, step);
    }
  });
  for (const buffer of outputs) last.set(buffer, steps.length);
  return [...last].flatMap(([buffer, end]) => {
    const { kind } = buffer.source;
    if (kind !== "temporary" && kind !== "input") return [];
    // Inputs are written before everything else, and outputs are read after it.
    const start = kind === "input" ? -1 : (first.get(buffer) ?? -1);
    return [{ buffer, bytes: bytesOf(buffer), first: start, last: end }];
  });
}

/** Whether two buffers can lie in one place. */
export function areApart(a: Lifetime, b: Lifetime): boolean {
  return a.last < b.first || a.first > b.last;
}
