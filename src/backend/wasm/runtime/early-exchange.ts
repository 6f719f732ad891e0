import type { Variable } from "../../../tensor/variable.ts";
import type { GroupExchange } from "../../backend.ts";
import { checkSingles } from "../../common/exchange.ts";
import type { CompiledProgram } from "../program/compiled-program.ts";
import type { ProgramTable } from "./program-table.ts";
import { Progress } from "./progress.ts";
import type { HeapVariables, VariableBlock } from "./variable-memory.ts";

/** Lets the host change variables of a program while threads run the rest of it. */
export class EarlyExchange {
  readonly #exchange: GroupExchange;
  /** For each group, its variables by their places in the program's list. */
  readonly #places: readonly (readonly number[])[];
  /** For each group, the first step from which on no other one uses it. */
  readonly #done: readonly number[];
  /** The steps before which threads have to tell of their progress. */
  readonly told: ReadonlySet<number>;

  /** @param variables those of the program */
  constructor(program: CompiledProgram, variables: readonly Variable[], exchange: GroupExchange) {
    checkSingles(exchange.groups.flat());
    this.#exchange = exchange;
    this.#places = exchange.groups.map((group) =>
      group.map((variable) => {
        const place = variables.indexOf(variable);
        if (place === -1) throw new Error(`exchange: variable ${variable.name} must be one of the program's`);
        return place;
      }),
    );
    const ends = endsOfUse(program);
    this.#done = this.#places.map((group) => Math.max(0, ...group.map((place) => ends.get(place) ?? 0)));
    this.told = new Set(this.#done);
  }

  /**
   * Has the threads run, and changes each group as soon as they are done with it.
   *
   * @param blocks of the program's variables
   */
  async during<T>(
    run: () => Promise<T>,
    table: ProgramTable,
    memory: HeapVariables,
    blocks: readonly VariableBlock[],
  ): Promise<T> {
    const progress = new Progress(memory.memory);
    let hasFailed = false;
    const ran = run()
      .catch((error: unknown) => {
        hasFailed = true;
        throw error;
      })
      .finally(() => progress.end());
    const changed = this.#change(
      async (step) => {
        await progress.reached(table.addressOf(step));
        return !hasFailed;
      },
      (places) => memory.valuesOf(places.map((place) => blocks[place])),
    );
    // Whichever fails, the next program waits for the end of both.
    await Promise.allSettled([ran, changed]);
    await changed;
    return ran;
  }

  async #change(
    isReached: (step: number) => Promise<boolean>,
    valuesOf: (places: readonly number[]) => readonly Float32Array[],
  ): Promise<void> {
    for (const [i, places] of this.#places.entries()) {
      if (!(await isReached(this.#done[i]))) return;
      await this.#exchange.change(valuesOf(places));
    }
  }
}

/** By their places in the program's list, the variables that steps use: the first step from which on none does. */
function endsOfUse({ steps, buffers }: CompiledProgram): Map<number, number> {
  const ends = new Map<number, number>();
  for (const [i, { kernels }] of steps.entries()) {
    for (const operand of kernels.flatMap(({ operands }) => operands)) {
      const place = "buffer" in operand ? buffers[operand.buffer].place : undefined;
      if (place?.kind === "variable") ends.set(place.variable, i + 1);
    }
  }
  return ends;
}
