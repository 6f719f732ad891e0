// The table in memory that `run` walks through: for each step a head, and an entry for each of its kernels.

/**
 * The words of a head: how many kernels, how many slices (0 for a kernel by itself), whether all threads have to meet
 * first (2 where whoever waits for it is then told), and how many slices or tasks threads took.
 */
export const HeadWord = { kernels: 0, slices: 1, waits: 2, taken: 3 } as const;
export const HEAD_WORDS = 4;
/** The words of a kernel's entry: its place in the table of functions, its tasks, and the address of its operands. */
export const KernelWord = { function: 0, tasks: 1, operands: 2, operandCount: 3 } as const;
export const KERNEL_WORDS = 4;
/** The words of an operand: address or offset, bytes from slice to slice, whether it is an offset in the thread's own memory. */
export const OperandWord = { address: 0, step: 1, isOwn: 2 } as const;
export const OPERAND_WORDS = 3;

/** Where an operand lies, in bytes. */
export interface OperandPlace {
  readonly address: number;
  /** From slice to slice. */
  readonly step: number;
  /** Whether the address counts from the start of the thread's own memory. */
  readonly isOwn: boolean;
}

export interface TableKernel {
  readonly function: number;
  readonly tasks: number;
  readonly operands: readonly OperandPlace[];
}

/** Kernels that run on each slice of a batch, or one by itself: then there are 0 slices. */
export interface TableStep<K = TableKernel> {
  readonly slices: number;
  readonly waits: boolean;
  readonly kernels: readonly K[];
}

/** What a head says of a step before which threads meet, or need not; or meet and tell of it. */
export function waitWord(waits: boolean, tells: boolean): number {
  return tells ? 2 : Number(waits);
}

/** Bytes of a step's head and entries. */
function stepBytes(kernels: number): number {
  return 4 * (HEAD_WORDS + KERNEL_WORDS * kernels);
}

export function tableBytes(steps: readonly TableStep<{ readonly operands: readonly unknown[] }>[]): number {
  return steps.reduce((bytes, { kernels }) => {
    const operands = kernels.reduce((sum, kernel) => sum + kernel.operands.length, 0);
    return bytes + stepBytes(kernels.length) + 4 * OPERAND_WORDS * operands;
  }, 0);
}

/** Where the steps of a table lie: the lists of operands come behind. */
export interface TableSpan {
  readonly table: number;
  readonly tableEnd: number;
}

export function spanOf(steps: readonly TableStep<unknown>[], table: number): TableSpan {
  return { table, tableEnd: table + steps.reduce((bytes, { kernels }) => bytes + stepBytes(kernels.length), 0) };
}

/** The words of a table that starts at an address. */
export function tableWords(steps: readonly TableStep[], address: number): number[] {
  const words: number[] = [];
  const operands: number[] = [];
  const { tableEnd } = spanOf(steps, address);
  for (const { slices, waits, kernels } of steps) {
    words.push(kernels.length, slices, waitWord(waits, false), 0);
    for (const kernel of kernels) {
      words.push(kernel.function, kernel.tasks, tableEnd + 4 * operands.length, kernel.operands.length);
      for (const { address: at, step, isOwn } of kernel.operands) operands.push(at, step, isOwn ? 1 : 0);
    }
  }
  return [...words, ...operands];
}

/** Where a step and its kernels stand in a table in memory. */
export interface TableEntry {
  readonly start: number;
  readonly end: number;
  readonly isChain: boolean;
  readonly kernels: readonly number[];
}

export function readEntries(words: Uint32Array, { table, tableEnd }: TableSpan): TableEntry[] {
  const entries: TableEntry[] = [];
  for (let start = table; start < tableEnd;) {
    const [count, slices] = words.subarray(start / 4);
    const end = start + stepBytes(count);
    const kernels = Array.from({ length: count }, (_, i) => start + 4 * (HEAD_WORDS + i * KERNEL_WORDS));
    entries.push({ start, end, isChain: slices > 0, kernels });
    start = end;
  }
  return entries;
}
