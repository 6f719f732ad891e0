import { areApart, lifetimesOf } from "../../../compiler/lifetimes.ts";
import type { Lifetime } from "../../../compiler/lifetimes.ts";
import type { Buffer, Program } from "../../../compiler/program.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Storage } from "./storage.ts";

/** Which intermediate results take turns in one buffer. */
export interface SlotPlan {
  /** The place in `sizes` of every temporary and input that is used. */
  readonly slotOf: ReadonlyMap<Buffer, number>;
  /** Bytes. */
  readonly sizes: readonly number[];
}

/**
 * Slots by lifetime, the largest buffers first: each goes into the first slot where nothing lives at the same time.
 * Several buffers rather than one arena, as a kernel may not both read and write one buffer.
 */
export function planSlots(program: Program, storage: Storage, dispatches: readonly Dispatch[]): SlotPlan {
  const slotOf = new Map<Buffer, number>();
  const sizes: number[] = [];
  const tenants: Lifetime[][] = [];
  const used = dispatches.map(({ bindings, pack }) => [
    ...bindings.map((binding) => binding.buffer),
    ...(pack?.offsets.keys() ?? []),
  ]);
  const lifetimes = lifetimesOf(program, used, (buffer) => storage.bytesOf(buffer)).toSorted(
    (a, b) => b.bytes - a.bytes || a.first - b.first,
  );
  for (const lifetime of lifetimes) {
    const found = tenants.findIndex((slot) => slot.every((other) => areApart(other, lifetime)));
    const slot = found === -1 ? sizes.push(lifetime.bytes) - 1 : found;
    (tenants[slot] ??= []).push(lifetime);
    slotOf.set(lifetime.buffer, slot);
  }
  return { slotOf, sizes };
}
