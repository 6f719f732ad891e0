/** How a step is taken. */
export interface StepWork<Line> {
  /** Begins the step after so many, and calls `drawn` when its batches are drawn. */
  readonly begin: (step: number, drawn: () => void) => Promise<Line>;
  /** Is called with each line in order, before anyone else sees it. */
  readonly end: (line: Line) => Promise<Line>;
  /** Whether the lines of later steps are of no use any more. */
  readonly isOver: () => boolean;
}

/**
 * Takes steps one after the other. The next one may begin before the caller has taken the line of the one before: a GPU
 * then does not wait for the host.
 */
export class StepPipeline<Line> {
  readonly #work: StepWork<Line>;
  /** Settles when the batches of the step that was begun last are drawn. */
  #drawn: Promise<void> = Promise.resolve();
  /** A step that has begun ahead of the caller. */
  #ahead: Promise<Line> | undefined;
  /** The line of such a step that has ended since, for someone else's sake. */
  #arrived: Line | undefined;

  constructor(work: StepWork<Line>) {
    this.#work = work;
  }

  /** Whether a step's line is still to be taken by {@link next}. */
  get hasLine(): boolean {
    return this.#arrived !== undefined;
  }

  /**
   * The line of the step after `step`.
   *
   * @param mayGoOn whether the one after that may begin at once
   */
  async next(step: number, mayGoOn: boolean): Promise<Line> {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined) return arrived;
    const line = this.#ahead ?? this.#begin(step);
    this.#ahead = undefined;
    if (mayGoOn) {
      await Promise.race([this.#drawn, line]);
      this.#ahead = this.#begin(step + 1);
      // It is told to whoever waits for it later.
      this.#ahead.catch(() => undefined);
    }
    return this.#work.end(await line);
  }

  /** Waits for a step that has begun ahead of the caller; {@link next} gives its line. */
  async settle(): Promise<void> {
    if (!this.#ahead) return;
    const line = this.#ahead;
    this.#ahead = undefined;
    // After a failure nothing is known of the step; whoever goes on is told of it by the next one.
    const ended = await line.catch(() => undefined);
    if (ended !== undefined && !this.#work.isOver()) this.#arrived = await this.#work.end(ended);
  }

  /** Forgets a line that no one has taken. */
  forget(): void {
    this.#arrived = undefined;
  }

  #begin(step: number): Promise<Line> {
    let drawn = (): void => {};
    this.#drawn = new Promise((resolve) => (drawn = resolve));
    return this.#work.begin(step, drawn);
  }
}
