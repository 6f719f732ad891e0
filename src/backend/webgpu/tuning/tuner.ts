import type { Kernel } from "../../../compiler/program.ts";
import { digestOf } from "../../common/kept/digest.ts";
import { fastestTile } from "./fastest-tile.ts";
import type { TrialContext } from "./fastest-tile.ts";
import { emitKernel } from "../kernels/kernels.ts";
import { isProduct, productSize } from "../kernels/product-size.ts";
import type { ProductKernel } from "../kernels/product-size.ts";
import type { Storage } from "../emit/storage.ts";
import { candidateTiles, nameOfTile } from "../kernels/tile.ts";
import type { Tile } from "../kernels/tile.ts";
import type { TileChoices } from "./tile-choices.ts";

const SECONDS_BETWEEN_LINES = 5;

export interface TunerOptions {
  /** Whether kernels that nothing is known of are measured. */
  readonly measures: boolean;
  readonly log: (line: string) => void;
}

/** Kernels with one text, and the tiles that may compute them. */
interface Subject {
  readonly key: string;
  readonly kernel: ProductKernel;
  readonly tiles: readonly Tile[];
}

/** Picks tiles for products: those that were the fastest on this very device. */
export class Tuner {
  readonly #context: Omit<TrialContext, "storage">;
  readonly #choices: TileChoices;
  readonly #options: TunerOptions;
  /** The last call; calls wait for each other, so that none measures what another has. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: Omit<TrialContext, "storage">, choices: TileChoices, options: TunerOptions) {
    this.#context = context;
    this.#choices = choices;
    this.#options = options;
  }

  /** The tiles of those kernels that something is known of, after measuring if that is wanted. */
  tilesFor(kernels: readonly Kernel[], storage: Storage): Promise<ReadonlyMap<Kernel, Tile>> {
    const result = this.#last.then(() => this.#tilesFor(kernels, storage));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #tilesFor(kernels: readonly Kernel[], storage: Storage): Promise<ReadonlyMap<Kernel, Tile>> {
    const known = await this.#choices.tiles;
    if (known.size === 0 && !this.#options.measures) return new Map();
    const subjects = await Promise.all(kernels.filter(isProduct).map((kernel) => this.#subjectOf(kernel, storage)));
    if (this.#options.measures)
      await this.#measure(
        subjects.filter((subject) => !chosen(subject, known)),
        storage,
      );
    return new Map(
      subjects.flatMap((subject): [Kernel, Tile][] => {
        const tile = chosen(subject, known);
        return tile ? [[subject.kernel, tile]] : [];
      }),
    );
  }

  /** A kernel is known by its text with the usual tile: its shape, what is fused with it, and the state of our code. */
  async #subjectOf(kernel: ProductKernel, storage: Storage): Promise<Subject> {
    const { adapter } = this.#context;
    const tiles = candidateTiles(productSize(kernel), adapter);
    const { wgsl, workgroups, sizes } = emitKernel(kernel, storage, adapter, tiles[0]);
    const text = [...tiles.map(nameOfTile), workgroups, sizes.join(), wgsl].join("\n");
    return { key: (await digestOf(new TextEncoder().encode(text))).slice(0, 32), kernel, tiles };
  }

  async #measure(unknown: readonly Subject[], storage: Storage): Promise<void> {
    const { log } = this.#options;
    const subjects = [...new Map(unknown.map((subject) => [subject.key, subject])).values()];
    const tunable = subjects.filter(({ tiles }) => tiles.length > 1);
    if (tunable.length === 0) return;
    log(`tuning ${tunable.length} kernels for ${this.#context.device.description}, once`);
    const start = performance.now();
    let lastLine = start;
    for (const [done, { key, kernel, tiles }] of tunable.entries()) {
      if (performance.now() - lastLine > 1000 * SECONDS_BETWEEN_LINES) {
        lastLine = performance.now();
        log(`tuning: ${done} of ${tunable.length} kernels`);
      }
      const tile = await fastestTile({ ...this.#context, storage }, kernel, tiles);
      if (tile) await this.#choices.add(key, nameOfTile(tile));
    }
    log(`tuned in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

function chosen({ key, tiles }: Subject, known: ReadonlyMap<string, string>): Tile | undefined {
  const name = known.get(key);
  return tiles.find((tile) => nameOfTile(tile) === name);
}
