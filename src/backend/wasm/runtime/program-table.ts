import type { CompiledKernel, CompiledOperand, CompiledProgram } from "../program/compiled-program.ts";
import {
  HEAD_WORDS,
  HeadWord,
  KERNEL_WORDS,
  spanOf,
  tableBytes,
  tableWords,
  waitWord,
} from "../program/kernel-table.ts";
import type { OperandPlace, TableSpan, TableStep } from "../program/kernel-table.ts";
import type { Heap } from "./heap.ts";
import { viewOf } from "./views.ts";

/** The table of a program's kernels in memory. It is written anew only where something lies elsewhere than before. */
export class ProgramTable {
  readonly #memory: WebAssembly.Memory;
  readonly #steps: readonly TableStep<CompiledKernel>[];
  readonly #address: number;
  /** Where the steps' heads stand, in words from the start. */
  readonly #heads: readonly number[];
  readonly prelude: TableSpan;
  readonly rest: TableSpan;
  #places: readonly number[] = [];

  static bytesFor({ steps }: CompiledProgram): number {
    return tableBytes(steps);
  }

  constructor({ memory }: Heap, { steps, preludeSteps }: CompiledProgram, address: number) {
    this.#memory = memory;
    this.#steps = steps;
    this.#address = address;
    const { tableEnd } = spanOf(steps, address);
    this.prelude = spanOf(steps.slice(0, preludeSteps), address);
    this.rest = { table: this.prelude.tableEnd, tableEnd };
    let word = 0;
    this.#heads = steps.map(({ kernels }) => {
      const head = word;
      word += HEAD_WORDS + KERNEL_WORDS * kernels.length;
      return head;
    });
  }

  /**
   * Makes it ready for a run.
   *
   * @param addresses of its buffers
   * @param told the steps before which the threads tell of their progress
   */
  place(addresses: readonly number[], told: ReadonlySet<number>): void {
    if (addresses.length !== this.#places.length || addresses.some((address, i) => address !== this.#places[i])) {
      const words = tableWords(this.#placed(addresses), this.#address);
      viewOf(this.#memory, "u32", this.#address, words.length).set(words);
      this.#places = addresses;
    }
    const words = new Uint32Array(this.#memory.buffer, this.#address);
    this.#heads.forEach((head, step) => {
      words[head + HeadWord.taken] = 0;
      words[head + HeadWord.waits] = waitWord(this.#steps[step].waits, told.has(step));
    });
  }

  /** What the threads tell when they have come to a step; of the one after the last, nothing. */
  addressOf(step: number): number {
    return step < this.#heads.length ? this.#address + 4 * this.#heads[step] : this.rest.tableEnd;
  }

  #placed(addresses: readonly number[]): TableStep[] {
    const placeOf = (operand: CompiledOperand): OperandPlace =>
      "own" in operand
        ? { address: operand.own, step: 0, isOwn: true }
        : { address: addresses[operand.buffer], step: operand.step, isOwn: false };
    return this.#steps.map(({ slices, waits, kernels }) => ({
      slices,
      waits,
      kernels: kernels.map(({ function: place, tasks, operands }) => {
        return { function: place, tasks, operands: operands.map(placeOf) };
      }),
    }));
  }
}
