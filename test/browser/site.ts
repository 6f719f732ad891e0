import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, defaultClientConditions, preview } from "vite";
import type { InlineConfig } from "vite";

/** Headers that make a page cross-origin isolated, which shared memory needs. */
export const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** A folder with an index.html as Vite builds it, with the library's sources. */
export class Site {
  readonly folder: string;
  readonly #servers: Awaited<ReturnType<typeof preview>>[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async build(root: string, config: InlineConfig = {}): Promise<Site> {
    const outDir = await mkdtemp(join(tmpdir(), "unnoise-site-"));
    await build({
      root,
      configFile: false,
      logLevel: "error",
      resolve: { conditions: ["unnoise-source", ...defaultClientConditions] },
      ...config,
      build: { outDir, emptyOutDir: true, ...config.build },
    });
    return new Site(outDir);
  }

  /** Serves the page on a free port; returns its address. */
  async serve(headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const server = await preview({
      root: this.folder,
      configFile: false,
      logLevel: "error",
      build: { outDir: this.folder },
      preview: { port: 0, headers: { ...headers } },
    });
    this.#servers.push(server);
    return server.resolvedUrls?.local[0] ?? "";
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
