import { StepProgram } from "./step-program.ts";
import type { StepLayout } from "./step-program.ts";

/**
 * Lends programs, each of which holds the images of one call at a time. One that is idle is kept: enough for repeated
 * calls, and no more memory than one takes.
 */
export class StepPrograms {
  #idle: StepProgram | undefined;

  async lend<T>(layout: StepLayout, use: (program: StepProgram) => Promise<T>): Promise<T> {
    const known = this.#idle?.fits(layout) ? this.#idle : undefined;
    if (known) this.#idle = undefined;
    const program = known ?? new StepProgram(layout);
    try {
      return await use(program);
    } finally {
      this.dispose();
      this.#idle = program;
    }
  }

  /** Frees the program that is kept. */
  dispose(): void {
    this.#idle?.dispose();
    this.#idle = undefined;
  }
}
