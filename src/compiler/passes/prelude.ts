import { readsOf, writesOf } from "../accesses.ts";
import type { Buffer, Kernel, Program } from "../program.ts";

/**
 * A program in two parts. What the prelude computes depends on nothing but constants and variables that the program only
 * reads: it stays good from run to run until somebody writes one of those.
 */
export interface StagedProgram extends Program {
  /** How many of the kernels, the first ones, are the prelude. */
  readonly preludeLength: number;
  /** What the prelude hands on to the other kernels, or out of the program. */
  readonly kept: ReadonlySet<Buffer>;
}

/**
 * Puts the kernels first that make up the prelude.
 *
 * @param mostBytes what may be kept; the rest is computed in every run
 */
export function stagePrelude(program: Program, mostBytes = Infinity): StagedProgram {
  const repeated = new Set<Kernel>();
  let staged = stage(program, repeated);
  for (let beyond = beyondLimit(staged, mostBytes); beyond.size > 0; beyond = beyondLimit(staged, mostBytes)) {
    // What such a kernel reads may have to be kept in its stead.
    for (const kernel of program.kernels) if (writesOf(kernel).some((x) => beyond.has(x))) repeated.add(kernel);
    staged = stage(program, repeated);
  }
  return staged;
}

/** What is kept beyond so many bytes. */
function beyondLimit({ kept }: StagedProgram, mostBytes: number): Set<Buffer> {
  let bytes = 0;
  const isBeyond = ({ length }: Buffer): boolean => {
    if (bytes + 4 * length > mostBytes) return true;
    bytes += 4 * length;
    return false;
  };
  return new Set([...kept].filter(isBeyond));
}

/** @param repeated kernels that are no part of the prelude */
function stage(program: Program, repeated: ReadonlySet<Kernel>): StagedProgram {
  const changing = new Set(program.kernels.flatMap(writesOf));
  const fixed = new Set(
    program.buffers.filter((buffer) => buffer.source.kind === "literal" || isOnlyRead(buffer, changing)),
  );
  const [prelude, rest]: [Kernel[], Kernel[]] = [[], []];
  for (const kernel of program.kernels) {
    const writes = writesOf(kernel);
    const isFixed =
      !repeated.has(kernel) &&
      writes.every(isTemporary) &&
      [...readsOf(kernel)].every((x) => fixed.has(x) || writes.includes(x));
    (isFixed ? prelude : rest).push(kernel);
    if (isFixed) for (const buffer of writes) fixed.add(buffer);
  }
  const used = new Set([...program.outputs, ...rest.flatMap((kernel) => [...readsOf(kernel)])]);
  const kept = new Set(prelude.flatMap(writesOf).filter((buffer) => used.has(buffer)));
  // What lies together stays together.
  for (const parts of program.arenas)
    if (parts.some((buffer) => kept.has(buffer))) for (const buffer of parts) kept.add(buffer);
  return { ...program, kernels: [...prelude, ...rest], preludeLength: prelude.length, kept };
}

/** The same program with nothing kept from run to run. */
export function withoutPrelude(program: Program): StagedProgram {
  return { ...program, preludeLength: 0, kept: new Set() };
}

function isOnlyRead(buffer: Buffer, changing: ReadonlySet<Buffer>): boolean {
  return buffer.source.kind === "variable" && !changing.has(buffer);
}

function isTemporary({ source }: Buffer): boolean {
  return source.kind === "temporary";
}
