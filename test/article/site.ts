import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const configFile = fileURLToPath(new URL("../../web/article/vite.config.ts", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** The article as `npm run build:article` makes it, in a folder of its own. */
export class ArticleSite {
  readonly folder: string;
  readonly #servers: ReturnType<typeof createServer>[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param hasPrograms whether programs are compiled ahead, for pages that are isolated */
  static async build({ hasPrograms = false } = {}): Promise<ArticleSite> {
    const outDir = await mkdtemp(join(tmpdir(), "unnoise-article-"));
    const mode = hasPrograms ? "isolated" : "without programs";
    await build({ configFile, mode, logLevel: "error", build: { outDir } });
    return new ArticleSite(outDir);
  }

  /** Serves it below a path, as hosts of project pages do, and with the headers given; returns its address. */
  async serve(headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const server = createServer(({ url = "" }, response) => {
      const path = new URL(url, "http://localhost").pathname.replace(/^\/project\//, "/");
      const file = join(this.folder, normalize(path.endsWith("/") ? `${path}index.html` : path));
      readFile(file).then(
        (content) => response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "", ...headers }).end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    this.#servers.push(server);
    return `http://localhost:${(server.address() as AddressInfo).port}/project/`;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
