import { USAGE } from "./device.ts";
import type { Device } from "./device.ts";

/** Queries that one set holds, by the specification. */
const MOST_QUERIES = 4096;
const TIMESTAMP_BYTES = 8;

/** Times passes on the GPU's own clock. */
export class Profiler {
  readonly #device: Device;
  readonly #passes: number;
  readonly #sets: readonly GPUQuerySet[];
  readonly #times: GPUBuffer;
  readonly #staging: GPUBuffer;

  constructor(device: Device, passes: number) {
    const { gpu } = device;
    if (!gpu.features.has("timestamp-query"))
      throw new Error("webgpu: this GPU has no clock that kernels can be timed by");
    this.#device = device;
    this.#passes = passes;
    const queries = 2 * passes;
    this.#sets = Array.from({ length: Math.ceil(queries / MOST_QUERIES) }, (_, i) =>
      gpu.createQuerySet({ type: "timestamp", count: Math.min(MOST_QUERIES, queries - i * MOST_QUERIES) }),
    );
    const size = TIMESTAMP_BYTES * queries;
    this.#times = gpu.createBuffer({ size, usage: USAGE.queryResolve | USAGE.copySource });
    this.#staging = gpu.createBuffer({ size, usage: USAGE.mapRead | USAGE.copyTarget });
  }

  /** What has the n-th pass timed. */
  timestamps(n: number): GPUComputePassTimestampWrites {
    const first = (2 * n) % MOST_QUERIES;
    const querySet = this.#sets[Math.floor((2 * n) / MOST_QUERIES)];
    return { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
  }

  /** To be called when all passes are encoded. */
  resolve(encoder: GPUCommandEncoder): void {
    this.#sets.forEach((set, i) =>
      encoder.resolveQuerySet(set, 0, set.count, this.#times, i * MOST_QUERIES * TIMESTAMP_BYTES),
    );
    encoder.copyBufferToBuffer(this.#times, 0, this.#staging, 0, this.#times.size);
  }

  /** Seconds of every pass, after the encoder's commands were submitted. Frees all that the profiler holds. */
  async finish(): Promise<number[]> {
    await this.#device.wait(this.#staging.mapAsync(1));
    const nanoseconds = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    for (const thing of [...this.#sets, this.#times, this.#staging]) thing.destroy();
    // Clocks of some drivers run backwards now and then.
    return Array.from({ length: this.#passes }, (_, n) =>
      Math.max(0, Number(nanoseconds[2 * n + 1] - nanoseconds[2 * n]) * 1e-9),
    );
  }
}
