import type { ByteCache } from "../../backend.ts";
import { seal, unseal } from "./sealed.ts";

/**
 * Keeps bytes in the browser's Cache Storage, for the page's origin, those that were written last. What is damaged is not
 * there. Where Cache Storage is not to be had, as in some private windows, nothing is kept.
 */
export class BrowserCache implements ByteCache {
  readonly #name: string;
  readonly #mostBytes: number;

  /** @param mostBytes of all that is kept under this name */
  constructor(name: string, mostBytes: number) {
    this.#name = name;
    this.#mostBytes = mostBytes;
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const found = await (await caches.open(this.#name)).match(addressOf(name), { ignoreSearch: true });
      return found && (await unseal(new Uint8Array(await found.arrayBuffer())));
    } catch {
      return undefined;
    }
  }

  async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      const [cache, sealed] = [await caches.open(this.#name), await seal(bytes)];
      await cache.delete(addressOf(name), { ignoreSearch: true });
      await cache.put(addressOf(name, sealed.length), new Response(sealed));
      await forget(cache, this.#mostBytes);
    } catch {
      // A full disk is no reason to stop.
    }
  }
}

/** Deletes what was written first until the rest is small enough. */
async function forget(cache: Cache, mostBytes: number): Promise<void> {
  // In the order in which they were written.
  const entries = (await cache.keys()).map(({ url }) => ({ url, bytes: Number(new URL(url).search.slice(1)) }));
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { url, bytes } of entries) {
    if (total <= mostBytes) return;
    await cache.delete(url);
    total -= bytes;
  }
}

/** The address of an entry, whose number of bytes is part of it. A worker that was started from a blob has no base. */
function addressOf(name: string, bytes?: number): string {
  return `${location.origin}/${name}${bytes === undefined ? "" : `?${bytes}`}`;
}
