/**
 * Seconds that one submission may take by the model, on the GPU that the model is of. A system may take a longer one for
 * a GPU that hangs, and draws nothing until it ends.
 */
export const LONGEST_SUBMISSION = 0.05;
/** More would only wait in the driver, and hold memory there. */
const MOST_IN_FLIGHT = 3;
/** How much of what was seen before counts, each time that something is seen. */
const MEMORY = 0.8;
/** Milliseconds between the first command of a submission and its last, at most: else the GPU may have waited for the host. */
const CONTIGUOUS = 20;
/** How far from the model a GPU is taken to be, at most. */
const [SLOWEST, FASTEST] = [1 / 8, 64];

/** What is used of a device. */
export interface SubmittingDevice {
  readonly gpu: { readonly queue: Pick<GPUQueue, "submit" | "onSubmittedWorkDone"> };
  wait<T>(work: Promise<T>): Promise<T>;
}

/**
 * Submits commands such that a GPU is never given much more than it is about to do. Small ones count as one until they
 * take as long together as one may, so that who hears of their end only now and then, as Firefox does, submits enough.
 */
export class Submissions {
  readonly #device: SubmittingDevice;
  /** Ends of what is in flight, but for the last. */
  readonly #ends: Promise<void>[] = [];
  /** The last, which takes more until it is full. */
  #open: { seconds: number; readonly since: number } | undefined;
  #lastEnd = 0;
  /** Seconds by the model and by the clock, of which older ones count less and less. */
  #modelled = 0;
  #measured = 0;

  constructor(device: SubmittingDevice) {
    this.#device = device;
  }

  /** Seconds by the model that one submission should take at most, as fast as this GPU has turned out to be. */
  get longest(): number {
    const speed = this.#measured === 0 ? 1 : this.#modelled / this.#measured;
    return LONGEST_SUBMISSION * 2 ** Math.floor(Math.log2(Math.min(FASTEST, Math.max(SLOWEST, speed))));
  }

  /**
   * Submits commands as soon as fewer than three others are in flight.
   *
   * @param seconds what they take by the model
   */
  async submit(commands: GPUCommandBuffer, seconds: number): Promise<void> {
    if (this.#open && this.#open.seconds + seconds > this.longest) this.#close(this.#open);
    while (this.#open === undefined && this.#ends.length >= MOST_IN_FLIGHT) await this.#device.wait(this.#ends[0]);
    this.#device.gpu.queue.submit([commands]);
    this.#open ??= { seconds: 0, since: performance.now() };
    this.#open.seconds += seconds;
  }

  #close({ seconds, since }: { readonly seconds: number; readonly since: number }): void {
    this.#open = undefined;
    const isContiguous = performance.now() - since <= CONTIGUOUS;
    const end = this.#device.gpu.queue.onSubmittedWorkDone().finally(() => {
      void this.#ends.splice(this.#ends.indexOf(end), 1);
      const now = performance.now();
      if (isContiguous) {
        this.#modelled = MEMORY * this.#modelled + seconds;
        this.#measured = MEMORY * this.#measured + (now - Math.max(since, this.#lastEnd)) / 1000;
      }
      this.#lastEnd = now;
    });
    this.#ends.push(end);
    // Of a lost device the next job is told.
    end.catch(() => undefined);
  }
}
