import type { CompiledProgram } from "../program/compiled-program.ts";
import type { VariableBlock } from "./variable-memory.ts";

/** Whether what a program's prelude computed is still good: what the variables were that it read. */
export class PreludeState {
  /** Places in the list of the program's variables. */
  readonly #reads: readonly number[];
  readonly #isEmpty: boolean;
  #seen: readonly { readonly block: VariableBlock; readonly writes: number }[] | undefined;

  constructor({ preludeSteps, preludeReads }: CompiledProgram) {
    this.#reads = preludeReads;
    this.#isEmpty = preludeSteps === 0;
  }

  isGood(variables: readonly VariableBlock[]): boolean {
    if (this.#isEmpty) return true;
    // A variable that was elsewhere in between is in another block, whose writes count anew.
    const isSame = (read: number, i: number): boolean => {
      const seen = this.#seen?.[i];
      return seen?.block === variables[read] && seen.writes === variables[read].writes;
    };
    return this.#seen !== undefined && this.#reads.every(isSame);
  }

  /** The prelude has run with the variables as they are. */
  ran(variables: readonly VariableBlock[]): void {
    this.#seen = this.#reads.map((read) => ({ block: variables[read], writes: variables[read].writes }));
  }
}
