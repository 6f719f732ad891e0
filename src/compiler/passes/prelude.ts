import { readsOf, writesOf } from "../program.ts";
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

/** Puts the kernels first that make up the prelude. */
export function stagePrelude(program: Program): StagedProgram {
  const changing = new Set(program.kernels.flatMap(writesOf));
  const fixed = new Set(
    program.buffers.filter((buffer) => buffer.source.kind === "literal" || isOnlyRead(buffer, changing)),
  );
  const [prelude, rest]: [Kernel[], Kernel[]] = [[], []];
  for (const kernel of program.kernels) {
    const writes = writesOf(kernel);
    const isFixed = writes.every(isTemporary) && [...readsOf(kernel)].every((x) => fixed.has(x) || writes.includes(x));
    (isFixed ? prelude : rest).push(kernel);
    if (isFixed) for (const buffer of writes) fixed.add(buffer);
  }
  const used = new Set([...program.outputs, ...rest.flatMap((kernel) => [...readsOf(kernel)])]);
  const kept = new Set(prelude.flatMap(writesOf).filter((buffer) => used.has(buffer)));
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
