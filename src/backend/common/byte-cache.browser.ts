import type { ByteCache } from "../backend.ts";

/**
 * Keeps bytes in the browser's Cache Storage, for the page's origin. Where that is not to be had, as in some private
 * windows, nothing is kept.
 */
export class BrowserCache implements ByteCache {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const found = await (await caches.open(this.#name)).match(`/${name}`);
      return found && new Uint8Array(await found.arrayBuffer());
    } catch {
      return undefined;
    }
  }

  async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await (await caches.open(this.#name)).put(`/${name}`, new Response(bytes));
    } catch {
      // A full disk is no reason to stop.
    }
  }
}
