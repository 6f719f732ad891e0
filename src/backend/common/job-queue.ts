import type { Lifetime } from "./lifetime.ts";

type Job<T> = () => T | Promise<T>;

/** The jobs of a device, which run one after another in the order in which they are given. */
export class JobQueue {
  readonly #lifetime: Lifetime;
  readonly #check: () => void;
  /** Keeps no result: that of a job may hold what should be garbage. */
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** @param check throws before a job if the device has failed */
  constructor(lifetime: Lifetime, check = (): void => {}) {
    this.#lifetime = lifetime;
    this.#check = check;
  }

  run<T>(job: Job<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(this.#lifetime.closed());
    const result = this.#last.then(() => {
      this.#check();
      return job();
    });
    this.#last = result.then(ignore, ignore);
    return result;
  }

  /** Runs what frees memory. A device that closed or failed has freed it all. */
  free(job: Job<void>): void {
    this.run(job).catch(ignore);
  }

  /** Settles when the jobs that were given have ended; takes no others. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#last;
  }
}

function ignore(): void {}
