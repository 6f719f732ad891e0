import { StepProgram } from "./step-program.ts";
import type { StepLayout } from "./step-program.ts";

/** So many idle programs are kept, so that samplers, batches and guidance may change without compiling again. */
const MOST_IDLE = 4;
/** What they may hold of a device's memory together: more, and the last one is alone. */
const MOST_IDLE_BYTES = 2 ** 29;

/**
 * Lends programs, each of which holds the images of one call at a time. Idle ones are kept for the next calls, and those that
 * were not used for the longest are freed.
 */
export class StepPrograms {
  /** The last one that was used last. */
  #idle: StepProgram[] = [];

  async lend<T>(layout: StepLayout, use: (program: StepProgram) => Promise<T>): Promise<T> {
    const program = this.#take(layout) ?? new StepProgram(layout);
    try {
      return await use(program);
    } finally {
      this.#idle.push(program);
      this.#trim();
    }
  }

  /** Frees the programs that are kept. */
  dispose(): void {
    for (const program of this.#idle.splice(0)) program.dispose();
  }

  #take(layout: StepLayout): StepProgram | undefined {
    const known = this.#idle.findLast((program) => program.fits(layout));
    this.#idle = this.#idle.filter((program) => program !== known);
    return known;
  }

  #trim(): void {
    const bytes = (): number => this.#idle.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    const free = (program: StepProgram | undefined): void => {
      this.#idle = this.#idle.filter((other) => other !== program);
      program?.dispose();
    };
    for (const program of this.#idle.filter(({ layout }) => layout.backend.isClosed)) free(program);
    while (this.#idle.length > MOST_IDLE || (this.#idle.length > 1 && bytes() > MOST_IDLE_BYTES)) free(this.#idle[0]);
  }
}
