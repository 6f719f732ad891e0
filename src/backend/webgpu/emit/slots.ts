import type { Buffer, Program } from "../../../compiler/program.ts";
import type { Dispatch } from "./shader.ts";
import type { Storage } from "./storage.ts";

/** Which intermediate results take turns in one buffer. */
export interface SlotPlan {
  /** The place in `sizes` of every temporary and input that is used. */
  readonly slotOf: ReadonlyMap<Buffer, number>;
  /** Bytes. */
  readonly sizes: readonly number[];
}

interface Lifetime {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Slots by lifetime, the largest buffers first: each goes into the first slot where nothing lives at the same time.
 * Several buffers rather than one arena, as a kernel may not both read and write one buffer.
 */
export function planSlots(program: Program, storage: Storage, dispatches: readonly Dispatch[]): SlotPlan {
  const slotOf = new Map<Buffer, number>();
  const sizes: number[] = [];
  const tenants: Lifetime[][] = [];
  for (const lifetime of lifetimesOf(program, storage, dispatches).toSorted(
    (a, b) => b.bytes - a.bytes || a.first - b.first,
  )) {
    const isFree = (slot: readonly Lifetime[]): boolean =>
      slot.every((other) => other.last < lifetime.first || other.first > lifetime.last);
    const found = tenants.findIndex(isFree);
    const slot = found === -1 ? sizes.push(lifetime.bytes) - 1 : found;
    (tenants[slot] ??= []).push(lifetime);
    slotOf.set(lifetime.buffer, slot);
  }
  return { slotOf, sizes };
}

function lifetimesOf({ buffers, outputs }: Program, storage: Storage, dispatches: readonly Dispatch[]): Lifetime[] {
  const first = new Map<Buffer, number>();
  const last = new Map<Buffer, number>();
  dispatches.forEach(({ bindings, pack }, step) => {
    for (const buffer of [...bindings.map((binding) => binding.buffer), ...(pack?.offsets.keys() ?? [])]) {
      if (!first.has(buffer)) first.set(buffer, step);
      last.set(buffer, step);
    }
  });
  // Inputs are written before everything else, and outputs are read after it.
  for (const buffer of buffers) if (buffer.source.kind === "input") first.set(buffer, -1);
  for (const buffer of outputs) {
    if (!first.has(buffer)) first.set(buffer, -1);
    last.set(buffer, dispatches.length);
  }
  return [...last].flatMap(([buffer, end]) => {
    const { kind } = buffer.source;
    if (kind !== "temporary" && kind !== "input") return [];
    return [{ buffer, bytes: storage.bytesOf(buffer), first: first.get(buffer) ?? -1, last: end }];
  });
}
