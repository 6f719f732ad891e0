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
 * Takes steps one after the other. Some may begin before the caller has taken the line of the one before: a GPU then does
 * not wait for the host, and losses are read some steps later.
 */
export class StepPipeline<Line> {
  readonly #work: StepWork<Line>;
  /** Settles when the batches of the step that was begun last are drawn. */
  #drawn: Promise<void> = Promise.resolve();
  /** Steps that have begun ahead of the caller. */
  readonly #ahead: Promise<Line>[] = [];
  /** The lines of such steps that have ended since, for someone else's sake. */
  readonly #arrived: Line[] = [];
  #settled: Promise<void> = Promise.resolve();

  constructor(work: StepWork<Line>) {
    this.#work = work;
  }

  /** Whether the line of a step that has begun is still to be taken by {@link next}. */
  get hasLine(): boolean {
    return this.#arrived.length + this.#ahead.length > 0;
  }

  /**
   * The line of the step after `step`.
   *
   * @param mayGoOn whether after a step, of which so many would then be ahead, the next one may begin at once
   */
  async next(step: number, mayGoOn: (step: number, ahead: number) => boolean): Promise<Line> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return arrived;
    const line = this.#ahead.shift() ?? this.#begin(step);
    for (let last = step + 1 + this.#ahead.length; mayGoOn(last, this.#ahead.length + 1); last++) {
      await Promise.race([this.#drawn, line]);
      const next = this.#begin(last);
      this.#ahead.push(next);
      // It is told to whoever waits for it later.
      next.catch(() => undefined);
    }
    return this.#work.end(await line);
  }

  /** Waits for steps that have begun ahead of the caller; {@link next} gives their lines. */
  settle(): Promise<void> {
    const settled = this.#settled.then(() => this.#settle());
    this.#settled = settled.catch(() => undefined);
    return settled;
  }

  async #settle(): Promise<void> {
    for (let line = this.#ahead.shift(); line; line = this.#ahead.shift()) {
      // After a failure nothing is known of the step; whoever goes on is told of it by the next one.
      const ended = await line.catch(() => undefined);
      if (ended !== undefined && !this.#work.isOver()) this.#arrived.push(await this.#work.end(ended));
    }
  }

  /** Forgets lines that no one has taken. */
  forget(): void {
    this.#arrived.length = 0;
  }

  #begin(step: number): Promise<Line> {
    let drawn = (): void => {};
    this.#drawn = new Promise((resolve) => (drawn = resolve));
    return this.#work.begin(step, drawn);
  }
}
