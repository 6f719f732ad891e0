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

interface Lifetime {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Offsets by lifetime: the largest buffers choose first, each the lowest place where no buffer that lives at
 * the same time lies.
 *
 * @param steps the kernels in their order; those of one step may run at the same time
 */
export function planMemory(
  program: Pick<Program, "kernels" | "buffers" | "outputs">,
  steps: readonly (readonly Kernel[])[] = program.kernels.map((kernel) => [kernel]),
): MemoryPlan {
  const offsets = new Map<Buffer, number>();
  const placed: (Lifetime & { readonly offset: number })[] = [];
  let total = 0;
  for (const lifetime of lifetimesOf(program, steps).toSorted((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    let offset = 0;
    for (const other of placed) {
      const apart = other.last < lifetime.first || other.first > lifetime.last || other.offset + other.bytes <= offset;
      if (apart) continue;
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

function lifetimesOf(
  { outputs, buffers }: Pick<Program, "buffers" | "outputs">,
  steps: readonly (readonly Kernel[])[],
): Lifetime[] {
  const first = new Map<Buffer, number>();
  const last = new Map<Buffer, number>();
  steps.forEach((kernels, step) => {
    for (const kernel of kernels) {
      for (const buffer of writesOf(kernel)) if (!first.has(buffer)) first.set(buffer, step);
      for (const buffer of [...readsOf(kernel), ...writesOf(kernel)]) last.set(buffer, step);
    }
  });
  for (const buffer of outputs) last.set(buffer, steps.length);
  const inArena = buffers.filter(({ source }) => source.kind === "temporary" || source.kind === "input");
  return inArena.flatMap((buffer) => {
    const end = last.get(buffer);
    if (end === undefined) return [];
    const bytes = Math.ceil((buffer.length * ELEMENT_BYTES) / ALIGNMENT) * ALIGNMENT;
    return [{ buffer, bytes, first: buffer.source.kind === "input" ? -1 : (first.get(buffer) ?? -1), last: end }];
  });
}
