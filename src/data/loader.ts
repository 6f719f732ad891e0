import type { ConditionArrays, ConditionSource } from "./conditions.ts";
import { conditionSources } from "./dataset.ts";
import type { ImageDataset } from "./dataset.ts";
import { randomOrder } from "./random-order.ts";
import { shareOf } from "./shard.ts";
import type { Shard } from "./shard.ts";
import { checkOptions } from "../config/rules.ts";

export interface DataLoaderOptions {
  readonly dataset: ImageDataset;
  readonly batchSize: number;
  /** Whole number that is not negative, 0 by default. */
  readonly seed?: number | undefined;
  /** A new order in every epoch, true by default. */
  readonly shuffle?: boolean | undefined;
  /** Leaves out the images at the end of an epoch that fill no batch, true by default. */
  readonly dropLast?: boolean | undefined;
  /** Reads of each batch the share of one of several processes; the whole batch without it. */
  readonly shard?: Shard | undefined;
}

export interface Batch {
  /** Bytes [images, height, width, channels]. */
  readonly images: Uint8Array;
  /** Classes of the images, where the dataset has them. */
  readonly labels: Int32Array | undefined;
  /** All that the dataset tells of the images, by the names that models declare; not overwritten. */
  readonly conditions: ConditionArrays;
  /** Which image of the whole batch the first one is: 0 but for the share of a later process. */
  readonly firstImage: number;
  /** Where the whole batch starts: how often the dataset was gone through before, and how many images of the order came before. */
  readonly epoch: number;
  readonly position: number;
}

/** What a loader must know to go on with the batch that would have come next. */
export interface LoaderState {
  readonly epoch: number;
  readonly position: number;
  /** Images of the dataset, so that it is noticed if some were added or removed since. */
  readonly length: number;
}

/** Images and labels are written into these again and again. */
interface Buffers {
  readonly images: Uint8Array;
  readonly labels: Int32Array | undefined;
}

/** A batch that will be gathered at the next pause of the event loop, or when it is asked for. */
interface Prefetch {
  readonly gather: () => Promise<Batch>;
  readonly cancel: () => void;
}

/**
 * Gives batches of a dataset without end, epoch after epoch, in an order that depends on the seed and the epoch alone.
 *
 * While a batch is in use the next one is gathered already. There are two sets of buffers: a batch's arrays are valid
 * until `next` is called again, then they are overwritten.
 *
 * @example
 * const loader = new DataLoader({ dataset, batchSize: 64, seed: 1 });
 * const { images, labels } = await loader.next();
 */
export class DataLoader {
  readonly dataset: ImageDataset;
  readonly batchSize: number;
  /** Batches of one epoch. */
  readonly batchesPerEpoch: number;
  readonly #shard: Shard;
  readonly #seed: number;
  readonly #shuffle: boolean;
  readonly #sources: readonly ConditionSource[];
  readonly #buffers: readonly [Buffers, Buffers];
  #turn = 0;
  #epoch = 0;
  #position = 0;
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  #prefetch: Prefetch | undefined;
  /** The last gathering that was begun; its buffers are taken until it ends. */
  #gathering: Promise<unknown> = Promise.resolve();
  #waiting = false;

  /** @throws Error if the dataset has fewer images than a batch. */
  constructor(options: DataLoaderOptions) {
    checkOptions("DataLoader", options, {
      dataset: "object",
      batchSize: "number",
      seed: "number",
      shuffle: "boolean",
      dropLast: "boolean",
      shard: "object",
    });
    const { dataset, batchSize, seed = 0, shuffle = true, dropLast = true } = options;
    const { shard = { rank: 0, size: 1 } } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new Error(`[DataLoader] batchSize must be a positive integer, got ${batchSize}`);
    }
    if (!isNatural(seed)) {
      throw new Error(`[DataLoader] seed must be a whole number that is not negative, got ${seed}`);
    }
    if (dataset.length < (dropLast ? batchSize : 1)) {
      throw new Error(
        `[DataLoader] batchSize ${batchSize} needs as many images, ${dataset.name} has ${dataset.length}`,
      );
    }
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.batchesPerEpoch = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
    this.#shard = shard;
    this.#seed = seed;
    this.#shuffle = shuffle;
    this.#sources = conditionSources(dataset);
    const most = Math.ceil(batchSize / shard.size);
    const buffers = (): Buffers => ({
      images: new Uint8Array(most * dataset.height * dataset.width * dataset.channels),
      labels: dataset.labels && new Int32Array(most),
    });
    this.#buffers = [buffers(), buffers()];
  }

  /**
   * The next batch; the arrays of the one before are no longer valid.
   *
   * @throws Error of the dataset, such as a broken file. The same batch is tried again by the next call.
   */
  async next(): Promise<Batch> {
    if (this.#waiting) throw new Error("[DataLoader] next() was called again before the batch before had come");
    this.#waiting = true;
    try {
      const { gather } = this.#prefetch ?? this.#plan();
      this.#prefetch = undefined;
      const batch = await gather();
      this.#advance();
      this.#turn = 1 - this.#turn;
      this.#prefetch = this.#plan();
      return batch;
    } finally {
      this.#waiting = false;
    }
  }

  /** Where the next batch starts. */
  state(): LoaderState {
    return { epoch: this.#epoch, position: this.#position, length: this.dataset.length };
  }

  /**
   * Goes on from a state of a loader with the same dataset, batch size and seed, as if it had never stopped. If the
   * dataset has more or fewer images since, it goes on with the next epoch: the order of the one that was cut short was
   * that of other images.
   *
   * @throws Error if no batch starts there.
   */
  restore({ epoch, position, length }: LoaderState): void {
    if (this.#waiting) throw new Error("[DataLoader] restore() was called before the last batch had come");
    const isSame = length === this.dataset.length;
    const batch = position / this.batchSize;
    if (!isNatural(epoch) || !isNatural(batch) || (isSame && batch >= this.batchesPerEpoch)) {
      throw new Error(
        `[DataLoader] no batch of ${this.batchSize} out of ${length} images starts at epoch ${epoch}, ` +
          `position ${position}`,
      );
    }
    this.#prefetch?.cancel();
    this.#prefetch = undefined;
    const isCutShort = !isSame && position > 0;
    this.#epoch = isCutShort ? epoch + 1 : epoch;
    this.#position = isCutShort ? 0 : position;
  }

  /** Drops the batch that is being prefetched. */
  close(): void {
    this.#prefetch?.cancel();
    this.#prefetch = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, never> {
    for (;;) yield await this.next();
  }

  /** Prepares the batch at the current state, to be gathered when nothing else is to be done. */
  #plan(): Prefetch {
    const [epoch, position] = [this.#epoch, this.#position];
    const buffers = this.#buffers[this.#turn];
    let batch: Promise<Batch> | undefined;
    const gather = async (): Promise<Batch> => {
      clearTimeout(timer);
      if (batch === undefined) {
        batch = this.#gathering.then(async () => this.#gather(epoch, position, buffers));
        // A failure is reported by next(), not as an unhandled rejection before.
        this.#gathering = batch.catch(() => {});
      }
      return batch;
    };
    const timer = setTimeout(() => void gather().catch(() => {}), 0);
    return { gather, cancel: () => clearTimeout(timer) };
  }

  async #gather(epoch: number, position: number, buffers: Buffers): Promise<Batch> {
    const { length, height, width, channels } = this.dataset;
    const [from, to] = shareOf(Math.min(this.batchSize, length - position), this.#shard);
    const indices = this.#orderOf(epoch).subarray(position + from, position + to);
    const imageBytes = height * width * channels;
    const images = buffers.images.subarray(0, indices.length * imageBytes);
    const labels = buffers.labels?.subarray(0, indices.length);
    await this.dataset.read(indices, images);
    if (labels) for (const [row, index] of indices.entries()) labels[row] = this.dataset.labels?.[index] ?? 0;
    const told = await Promise.all(this.#sources.map((source) => source.batch(indices)));
    const conditions = Object.assign({}, ...told) as ConditionArrays;
    return { images, labels, conditions, firstImage: from, epoch, position };
  }

  #orderOf(epoch: number): Uint32Array {
    if (this.#order?.epoch !== epoch) {
      const { length } = this.dataset;
      const indices = this.#shuffle
        ? randomOrder(length, this.#seed, epoch)
        : Uint32Array.from({ length }, (_, index) => index);
      this.#order = { epoch, indices };
    }
    return this.#order.indices;
  }

  #advance(): void {
    this.#position += this.batchSize;
    if (this.#position < this.batchesPerEpoch * this.batchSize) return;
    this.#epoch++;
    this.#position = 0;
  }
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
