import { areApart, lifetimesOf } from "../../../compiler/lifetimes.ts";
import type { Lifetime } from "../../../compiler/lifetimes.ts";
import { partsOf, placesIn } from "../../../compiler/program.ts";
import type { Buffer, Program } from "../../../compiler/program.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Storage } from "./storage.ts";

/** Where a buffer lies among a program's slots. */
export interface SlotPlace {
  readonly slot: number;
  /** Bytes. */
  readonly offset: number;
}

/** Which intermediate results take turns in one buffer. */
export interface SlotPlan {
  /** Of every temporary and input that is used. */
  readonly placeOf: ReadonlyMap<Buffer, SlotPlace>;
  /** Bytes of each slot. */
  readonly sizes: readonly number[];
}

/**
 * Slots by lifetime, the largest buffers first: each goes into the first slot where nothing lives at the same time. What lies
 * together lives as long as any of it. Several buffers rather than one arena, as a kernel may not both read and write one buffer.
 */
export function planSlots(program: Program, storage: Storage, dispatches: readonly Dispatch[]): SlotPlan {
  const { arenas, alignment } = program;
  const arenaOf = new Map(arenas.flatMap((parts) => parts.map((part) => [part, parts] as const)));
  const togetherWith = (buffer: Buffer): readonly Buffer[] => arenaOf.get(buffer) ?? [buffer];
  // The first part stands for all of an arena.
  const used = dispatches.map(({ bindings, pack }) => {
    const buffers = [...bindings.map((binding) => binding.buffer), ...(pack?.offsets.keys() ?? [])];
    return buffers.map((buffer) => togetherWith(partsOf(buffer)[0])[0]);
  });
  const lifetimes = lifetimesOf(program, used, (buffer) =>
    storage.bytesOf(buffer, placesIn(togetherWith(buffer), alignment).length),
  ).toSorted((a, b) => b.bytes - a.bytes || a.first - b.first);
  const placeOf = new Map<Buffer, SlotPlace>();
  const sizes: number[] = [];
  const tenants: Lifetime[][] = [];
  for (const lifetime of lifetimes) {
    const found = tenants.findIndex((slot) => slot.every((other) => areApart(other, lifetime)));
    const slot = found === -1 ? sizes.push(lifetime.bytes) - 1 : found;
    (tenants[slot] ??= []).push(lifetime);
    const parts = togetherWith(lifetime.buffer);
    const { starts } = placesIn(parts, alignment);
    parts.forEach((part, i) => placeOf.set(part, { slot, offset: starts[i] * storage.elementBytes(part) }));
  }
  return { placeOf, sizes };
}
