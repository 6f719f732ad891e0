import * as z from "zod/mini";
import type { ByteCache } from "../backend.ts";
import { digestOf } from "../digest.ts";

const choicesFile = z.object({
  /** What they were measured on. */
  adapter: z.string(),
  /** Names of tiles, by the digests of kernels. */
  tiles: z.record(z.string(), z.string()),
});

/** Which tiles were the fastest on an adapter, kept in a cache from process to process. */
export class TileChoices {
  readonly #adapter: string;
  readonly #cache: ByteCache | undefined;
  readonly #log: (line: string) => void;
  #tiles: Promise<Map<string, string>> | undefined;

  /** @param adapter whatever tells it from others, its driver included */
  constructor(adapter: string, cache: ByteCache | undefined, log: (line: string) => void) {
    this.#adapter = adapter;
    this.#cache = cache;
    this.#log = log;
  }

  /** Names of tiles, by kernel. */
  get tiles(): Promise<ReadonlyMap<string, string>> {
    return (this.#tiles ??= this.#read());
  }

  async add(kernel: string, tile: string): Promise<void> {
    const tiles = await (this.#tiles ??= this.#read());
    tiles.set(kernel, tile);
    const text = JSON.stringify({ adapter: this.#adapter, tiles: Object.fromEntries(tiles) }, undefined, 2);
    await this.#cache?.write(await this.#name(), new TextEncoder().encode(`${text}\n`));
  }

  async #read(): Promise<Map<string, string>> {
    const bytes = await this.#cache?.read(await this.#name());
    if (!bytes) return new Map();
    const { success, data } = z.safeParse(choicesFile, parsed(bytes));
    if (success && data.adapter === this.#adapter) return new Map(Object.entries(data.tiles));
    this.#log(`webgpu: passed over the kept choices of tiles for ${this.#adapter}: they are not what was written`);
    return new Map();
  }

  async #name(): Promise<string> {
    return `${(await digestOf(new TextEncoder().encode(this.#adapter))).slice(0, 16)}.json`;
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
