/** Work that has the page's device. */
export interface Turn {
  /** Aborted when the same figure asks for something newer, is reset, or its tab closes. */
  readonly signal: AbortSignal;
  /**
   * Lets others go first, and the browser draw: to be awaited between the steps of long work. It waits while the figure is
   * off screen or its tab is hidden.
   *
   * @throws the signal's reason once that is aborted
   */
  next(): Promise<void>;
}

export type Work = (turn: Turn) => Promise<void>;

interface Ticket {
  readonly lane: Lane;
  /** Asked for by the reader just now, not the continuation of long work. */
  readonly isFresh: boolean;
  readonly admit: () => void;
}

/**
 * One queue for all figures of a page, as a backend runs one program at a time. What a reader has just asked for goes
 * before what goes on anyway; of such, the figure that is seen most goes first. Figures that are not seen wait.
 */
export class Scheduler {
  #tickets: Ticket[] = [];
  #isBusy = false;
  #isPaused = false;

  /** While paused, as in a hidden tab, nothing begins or goes on. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    this.admit();
  }

  lane(): Lane {
    return new Lane(this);
  }

  /** Waits for the device. */
  enter(lane: Lane, signal: AbortSignal, isFresh: boolean): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#tickets = this.#tickets.filter((other) => other !== ticket);
        reject(signal.reason as Error);
      };
      const admit = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const ticket = { lane, isFresh, admit };
      this.#tickets.push(ticket);
      signal.addEventListener("abort", leave, { once: true });
      this.admit();
    });
  }

  leave(): void {
    this.#isBusy = false;
    this.admit();
  }

  /** Gives the device to who is next, if it is free. */
  admit(): void {
    if (this.#isBusy || this.#isPaused) return;
    const seen = this.#tickets.filter(({ lane }) => lane.visibility > 0);
    const fresh = seen.filter(({ isFresh }) => isFresh);
    // Long work takes turns: who has waited longest is first in the list.
    const next = fresh.toSorted((a, b) => b.lane.visibility - a.lane.visibility).at(0) ?? seen.at(0);
    if (next === undefined) return;
    this.#isBusy = true;
    this.#tickets = this.#tickets.filter((other) => other !== next);
    next.admit();
  }
}

/** The place of one figure in the queue: the latest that it asks for replaces what it asked for before. */
export class Lane {
  readonly #scheduler: Scheduler;
  #visibility = 0;
  #stop: AbortController | undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Pixels of the figure that are on screen; 0 pauses it. */
  get visibility(): number {
    return this.#visibility;
  }

  set visibility(pixels: number) {
    this.#visibility = pixels;
    this.#scheduler.admit();
  }

  /**
   * Runs work when it is its turn. Whatever ran or waited in this lane is aborted.
   *
   * @returns whether it came to its end; false if something newer replaced it
   * @throws what the work throws unless it was aborted
   */
  async run(work: Work): Promise<boolean> {
    this.cancel();
    const stop = new AbortController();
    this.#stop = stop;
    const { signal } = stop;
    let hasDevice = false;
    const enter = async (isFresh: boolean): Promise<void> => {
      await this.#scheduler.enter(this, signal, isFresh);
      hasDevice = true;
    };
    const leave = (): void => {
      if (hasDevice) this.#scheduler.leave();
      hasDevice = false;
    };
    try {
      await enter(true);
      await work({
        signal,
        next: async () => {
          leave();
          await browserTask();
          await enter(false);
        },
      });
      return !signal.aborted;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    } finally {
      leave();
    }
  }

  /** Stops what runs or waits. */
  cancel(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }
}

/** Resolves in a new task, after input and drawing that wait; without the 4 ms that timers take. */
function browserTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
