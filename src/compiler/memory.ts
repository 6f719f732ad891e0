import { areApart, lifetimesOf } from "./lifetimes.ts";
import type { Lifetime } from "./lifetimes.ts";
import { readsOf, writesOf } from "./program.ts";
import type { Buffer, Kernel, Program } from "./program.ts";

const ELEMENT_BYTES = 4;
/** Buffers start on cache lines. */
const ALIGNMENT = 64;

/** Where each temporary and input lives in one arena, in bytes. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
}

/**
 * Offsets by lifetime: the largest buffers choose first, each the lowest place where no buffer that lives at
 * the same time lies.
 *
 * @param program the buffers to place, which may be some of those that its kernels use
 * @param steps the kernels in their order; those of one step may run at the same time
 */
export function planMemory(
  program: Pick<Program, "kernels" | "buffers" | "outputs">,
  steps: readonly (readonly Kernel[])[] = program.kernels.map((kernel) => [kernel]),
): MemoryPlan {
  const offsets = new Map<Buffer, number>();
  const placed: (Lifetime & { readonly offset: number })[] = [];
  let total = 0;
  const planned = new Set(program.buffers);
  const used = steps.map((kernels) =>
    kernels.flatMap((kernel) => [...writesOf(kernel), ...readsOf(kernel)]).filter((buffer) => planned.has(buffer)),
  );
  const lifetimes = lifetimesOf(program, used, bytesOf).toSorted(
    (a, b) => b.bytes - a.bytes || a.first - b.first || a.buffer.id - b.buffer.id,
  );
  for (const lifetime of lifetimes) {
    let offset = 0;
    for (const other of placed) {
      if (areApart(other, lifetime) || other.offset + other.bytes <= offset) continue;
      if (other.offset >= offset + lifetime.bytes) break;
      offset = other.offset + other.bytes;
    }
    offsets.set(lifetime.buffer, offset);
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at === -1 ? placed.length : at, 0, { ...lifetime, offset });
    total = Math.max(total, offset + lifetime.bytes);
  }
  return { offsets, bytes: total };
}

function bytesOf({ length }: Buffer): number {
  return Math.ceil((length * ELEMENT_BYTES) / ALIGNMENT) * ALIGNMENT;
}
