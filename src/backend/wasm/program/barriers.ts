import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer, Kernel } from "../../../compiler/program.ts";
import { kernelsOf } from "./chains.ts";
import type { Step } from "./chains.ts";

/** Memory that a kernel uses: in the workspace, or a buffer of its own. */
interface Span {
  readonly space: Buffer | "workspace";
  readonly start: number;
  readonly end: number;
}

/** Before which steps all threads have to meet: where memory that an unfinished step uses is written or read. */
export function barriersBefore(steps: readonly Step[], offsets: ReadonlyMap<Buffer, number>): boolean[] {
  let written: Span[] = [];
  let read: Span[] = [];
  const spanOf = (buffer: Buffer): Span => {
    const offset = offsets.get(buffer);
    const start = offset ?? 0;
    return { space: offset === undefined ? buffer : "workspace", start, end: start + 4 * buffer.length };
  };
  const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
    a.some((x) => b.some((y) => x.space === y.space && x.start < y.end && y.start < x.end));
  return steps.map((step) => {
    const own = new Set(step.kind === "chain" ? step.own : []);
    const spansOf = (buffersOf: (kernel: Kernel) => Iterable<Buffer>): Span[] => {
      const buffers = new Set<Buffer>();
      for (const kernel of kernelsOf(step))
        for (const buffer of buffersOf(kernel)) if (!own.has(buffer)) buffers.add(buffer);
      return Array.from(buffers, spanOf);
    };
    const [reads, writes] = [spansOf(readsOf), spansOf(writesOf)];
    const conflict = meet(reads, written) || meet(writes, written) || meet(writes, read);
    if (conflict) {
      written = [];
      read = [];
    }
    written.push(...writes);
    read.push(...reads);
    return conflict;
  });
}
