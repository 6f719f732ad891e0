import type { Variable } from "../../tensor/variable.ts";
import type { Lifetime } from "./lifetime.ts";
import type { VariableStore } from "./variable-store.ts";

/** The last move from one device to another. Were there two at once, each could take for ever what the other needs. */
let lastMove: Promise<void> = Promise.resolve();

/**
 * Begins a backend's programs when the values of their variables are there, in the order in which they were asked for.
 * Variables may be in use on another backend: they leave it after the programs that it has begun.
 */
export class Residency {
  readonly #variables: Pick<VariableStore<unknown>, "has" | "bring">;
  readonly #lifetime: Lifetime;
  #waiting = 0;
  /** The last program that has to wait. */
  #last: Promise<void> = Promise.resolve();

  constructor(variables: Pick<VariableStore<unknown>, "has" | "bring">, lifetime: Lifetime) {
    this.#variables = variables;
    this.#lifetime = lifetime;
  }

  /** @param start begins the program at once, so that whoever takes its variables from then on waits for its end */
  async begin<T>(variables: readonly Variable[], start: () => Promise<T>): Promise<T> {
    this.#lifetime.check();
    if (this.#waiting === 0 && this.#absent(variables).length === 0) return start();
    this.#waiting++;
    // What is begun is wrapped: its end is not waited for here.
    const begun = this.#last.then(() => this.#gather(variables, () => ({ program: start() })));
    this.#last = begun.then(ignore, ignore);
    const { program } = await begun.finally(() => this.#waiting--);
    return program;
  }

  async #gather<T>(variables: readonly Variable[], start: () => T): Promise<T> {
    const absent = this.#absent(variables);
    if (!absent.some(({ isOnDevice }) => isOnDevice)) await this.#bring(absent);
    if (this.#absent(variables).length === 0) return start();
    const moved = lastMove.then(async () => {
      // One may leave for the host while another arrives.
      while (this.#absent(variables).length > 0) await this.#bring(this.#absent(variables));
      return start();
    });
    lastMove = moved.then(ignore, ignore);
    return moved;
  }

  async #bring(variables: readonly Variable[]): Promise<void> {
    const moves = await Promise.allSettled(variables.map((variable) => this.#variables.bring(variable)));
    const failed = moves.find((move) => move.status === "rejected");
    if (failed) throw failed.reason;
  }

  #absent(variables: readonly Variable[]): Variable[] {
    return variables.filter((variable) => !this.#variables.has(variable));
  }
}

function ignore(): void {}
