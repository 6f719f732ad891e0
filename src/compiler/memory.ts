import { areApart, lifetimesOf } from "./lifetimes.ts";
import type { Lifetime } from "./lifetimes.ts";
import { readsOf, writesOf } from "./accesses.ts";
import { placesIn } from "./program.ts";
import type { Buffer, Kernel, Program } from "./program.ts";

const ELEMENT_BYTES = 4;
/** Buffers start on cache lines. */
const ALIGNMENT = 64;

/** Where each temporary and input lives in one arena, in bytes. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
}

/** Buffers, and which of them lie together. */
type Placed = Pick<Program, "buffers"> & Partial<Pick<Program, "arenas" | "alignment">>;

/** What is placed as one: an arena, or a buffer by itself. */
export interface Block {
  readonly parts: readonly Buffer[];
  /** Where each part starts in it, in bytes. */
  readonly starts: readonly number[];
  readonly bytes: number;
}

/** The block that each buffer is in. */
export function blocksOf({ buffers, arenas = [], alignment = 1 }: Placed): Map<Buffer, Block> {
  const planned = new Set(buffers);
  const blocks = new Map<Buffer, Block>();
  for (const parts of [...arenas.filter(([first]) => planned.has(first)), ...buffers.map((buffer) => [buffer])]) {
    if (blocks.has(parts[0])) continue;
    const { starts, length } = placesIn(parts, alignment);
    const block = { parts, starts: starts.map((start) => start * ELEMENT_BYTES), bytes: bytesFor(length) };
    for (const part of parts) blocks.set(part, block);
  }
  return blocks;
}

/** Where the parts of a block lie that lies at an offset. */
export function offsetsAt({ parts, starts }: Block, offset: number): [Buffer, number][] {
  return parts.map((part, i) => [part, offset + starts[i]]);
}

/**
 * Offsets by lifetime: the largest buffers choose first, each the lowest place where no buffer that lives at
 * the same time lies.
 *
 * @param program the buffers to place, which may be some of those that its kernels use
 * @param steps the kernels in their order; those of one step may run at the same time
 */
export function planMemory(
  program: Placed & Pick<Program, "kernels" | "outputs">,
  steps: readonly (readonly Kernel[])[] = program.kernels.map((kernel) => [kernel]),
): MemoryPlan {
  const blocks = blocksOf(program);
  const blockOf = (buffer: Buffer): Block => required(blocks.get(buffer));
  const placed: (Lifetime & { readonly offset: number })[] = [];
  let total = 0;
  // The first part of a block stands for all of it.
  const used = steps.map((kernels) =>
    kernels.flatMap((kernel) =>
      [...writesOf(kernel), ...readsOf(kernel)].flatMap((buffer) => blocks.get(buffer)?.parts[0] ?? []),
    ),
  );
  const lifetimes = lifetimesOf(program, used, (buffer) => blockOf(buffer).bytes).toSorted(
    (a, b) => b.bytes - a.bytes || a.first - b.first || a.buffer.id - b.buffer.id,
  );
  for (const lifetime of lifetimes) {
    let offset = 0;
    for (const other of placed) {
      if (areApart(other, lifetime) || other.offset + other.bytes <= offset) continue;
      if (other.offset >= offset + lifetime.bytes) break;
      offset = other.offset + other.bytes;
    }
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at === -1 ? placed.length : at, 0, { ...lifetime, offset });
    total = Math.max(total, offset + lifetime.bytes);
  }
  const offsets = new Map(placed.flatMap(({ buffer, offset }) => offsetsAt(blockOf(buffer), offset)));
  return { offsets, bytes: total };
}

function bytesFor(length: number): number {
  return Math.ceil((length * ELEMENT_BYTES) / ALIGNMENT) * ALIGNMENT;
}

function required(block: Block | undefined): Block {
  if (!block) throw new Error("internal: a buffer is in no block");
  return block;
}
