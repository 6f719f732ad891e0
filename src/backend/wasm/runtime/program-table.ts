import type { CompiledKernel, CompiledOperand, CompiledProgram } from "../program/compiled-program.ts";
import { HEAD_WORDS, HeadWord, KERNEL_WORDS, spanOf, tableBytes, tableWords } from "../program/kernel-table.ts";
import type { OperandPlace, TableSpan, TableStep } from "../program/kernel-table.ts";
import type { Heap } from "./heap.ts";
import { viewOf } from "./views.ts";

/** The table of a program's kernels in memory. It is written anew only where something lies elsewhere than before. */
export class ProgramTable {
  readonly #memory: WebAssembly.Memory;
  readonly #steps: readonly TableStep<CompiledKernel>[];
  readonly #address: number;
  /** Words of the table that count what threads took. */
  readonly #counters: readonly number[];
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
    this.#counters = steps.map(({ kernels }) => {
      const head = word;
      word += HEAD_WORDS + KERNEL_WORDS * kernels.length;
      return head + HeadWord.taken;
    });
  }

  /** Makes it ready for a run, on buffers at these addresses. */
  place(addresses: readonly number[]): void {
    if (addresses.length !== this.#places.length || addresses.some((address, i) => address !== this.#places[i])) {
      const words = tableWords(this.#placed(addresses), this.#address);
      viewOf(this.#memory, "u32", this.#address, words.length).set(words);
      this.#places = addresses;
      return;
    }
    const words = new Uint32Array(this.#memory.buffer, this.#address);
    for (const counter of this.#counters) words[counter] = 0;
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
