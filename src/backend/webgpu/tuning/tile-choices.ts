import type { ByteCache } from "../../backend.ts";
import { digestOf } from "../../common/kept/digest.ts";

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
    const tiles = tilesIn(parsed(bytes), this.#adapter);
    if (tiles) return tiles;
    this.#log(`webgpu: passed over the kept choices of tiles for ${this.#adapter}: they are not what was written`);
    return new Map();
  }

  async #name(): Promise<string> {
    return `${(await digestOf(new TextEncoder().encode(this.#adapter))).slice(0, 16)}.json`;
  }
}

/** What a file says of an adapter, if it has the right form; a schema library would add 5 kB to a page. */
function tilesIn(file: unknown, adapter: string): Map<string, string> | undefined {
  if (!isRecord(file) || file.adapter !== adapter || !isRecord(file.tiles)) return undefined;
  const tiles = new Map<string, string>();
  for (const [kernel, tile] of Object.entries(file.tiles)) {
    if (typeof tile !== "string") return undefined;
    tiles.set(kernel, tile);
  }
  return tiles;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
