import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

/** Serves the files of a folder as they are. */
export class StaticServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Each server has a port, and thereby an origin, of its own. All answers have the headers. */
  static async start(folder: string, headers: Readonly<Record<string, string>> = {}): Promise<StaticServer> {
    const server = createServer(({ url = "" }, response) => {
      const path = new URL(url, "http://localhost").pathname;
      const file = join(folder, normalize(path.endsWith("/") ? `${path}index.html` : path));
      readFile(file).then(
        (content) => response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "", ...headers }).end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    return new StaticServer(server);
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
