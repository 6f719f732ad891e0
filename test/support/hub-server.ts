import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository of the server. */
export interface ServedRepository {
  readonly commit: string;
  /** Branches and tags; `main` is one. */
  readonly revisions?: readonly string[];
  readonly files: Readonly<Record<string, Buffer>>;
  /** Whether it asks for the terms to be accepted, or for a token that may see it. */
  readonly access?: "gated" | "private";
  /** Its name before; what asks for that is sent on. */
  readonly formerly?: string;
}

/** What was asked for. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly server: "hub" | "cdn";
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** The token that may see everything. */
export const TOKEN = "hf_local";

/** Files of at least so many bytes lie in the other server, as the hub's large ones do. */
const LARGE = 4096;

export const sha256Of = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
export const gitShaOf = (content: Buffer): string =>
  createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");

/**
 * A server that answers as huggingface.co does: revisions, small files behind a relative redirect, large ones in another
 * server with ETags of their own, ranges, and its error codes. Keys of `repositories` are `models/owner/name`.
 */
export class HubServer {
  readonly requests: SeenRequest[] = [];
  /** Bytes after which the other server's next answers break off. */
  readonly breaks: number[] = [];
  /** Milliseconds between pieces of 16 kB. */
  delay = 0;
  /** Instead of every answer. */
  status: number | undefined;
  /** Changes what the other server sends. */
  corrupt: ((content: Buffer) => Buffer) | undefined;
  readonly repositories: Record<string, ServedRepository>;
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor(repositories: Record<string, ServedRepository>) {
    this.repositories = repositories;
    this.#hub = createServer((request, response) =>
      this.#see("hub", request, response, () => this.#answer(request, response)),
    );
    this.#cdn = createServer((request, response) =>
      this.#see("cdn", request, response, () => void this.#content(request, response)),
    );
  }

  static async open(repositories: Record<string, ServedRepository>): Promise<HubServer> {
    const server = new HubServer(repositories);
    for (const one of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  get #cdnAddress(): string {
    return `http://127.0.0.1:${(this.#cdn.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const one of [this.#hub, this.#cdn]) {
      one.closeAllConnections();
      one.close();
    }
  }

  #see(server: "hub" | "cdn", request: IncomingMessage, response: ServerResponse, answer: () => void): void {
    const { method = "", url = "", headers } = request;
    this.requests.push({ server, method, url, authorization: headers.authorization, range: headers.range });
    if (this.status !== undefined) return void response.writeHead(this.status).end("busy");
    return answer();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = decodeURIComponent((request.url ?? "").split("?", 1)[0]);
    const api = /^\/api\/(models|datasets)\/(.+?)(?:\/(revision|tree)\/(.+))?$/.exec(url);
    const cached = /^\/api\/resolve-cache\/(models|datasets)\/(.+)\/([0-9a-f]{40})\/(.+)$/.exec(url);
    if (cached) return this.#small(request, response, cached);
    if (api) return this.#info(request, response, api);
    const file = /^\/(datasets\/)?(.+?)\/resolve\/(.+)$/.exec(url);
    if (file) return this.#file(request, response, [file[1] ? "datasets" : "models", file[2], file[3]]);
    response.writeHead(404).end();
  }

  /** The repository, if it may be seen; otherwise it has been answered. */
  #find(request: IncomingMessage, response: ServerResponse, key: string): ServedRepository | undefined {
    const { authorization } = request.headers;
    const fail = (status: number, code: string, message: string): undefined => {
      response
        .writeHead(status, { "x-error-code": code, "x-error-message": message })
        .end(JSON.stringify({ error: message }));
      return undefined;
    };
    if (authorization !== undefined && !/^Bearer hf_(local|other)$/.test(authorization)) {
      return fail(401, "", "Invalid credentials in Authorization header");
    }
    const isMember = authorization === `Bearer ${TOKEN}`;
    const repository = this.repositories[key];
    if (repository === undefined || (repository.access === "private" && !isMember)) {
      return fail(authorization === undefined ? 401 : 404, "RepoNotFound", "Repository not found");
    }
    const isInfo = (request.url ?? "").startsWith("/api/models");
    if (repository.access === "gated" && !isMember && !isInfo) {
      return fail(authorization === undefined ? 401 : 403, "GatedRepo", `Access to ${key} is restricted.`);
    }
    return repository;
  }

  #info(request: IncomingMessage, response: ServerResponse, found: readonly string[]): void {
    const [, kind, id, what = "revision", revision = "main"] = found;
    const renamed = Object.entries(this.repositories).find(([, { formerly }]) => formerly === `${kind}/${id}`);
    if (renamed) {
      response.writeHead(307, { location: `/api/${renamed[0]}/${what}/${encodeURIComponent(revision)}` }).end();
      return;
    }
    const repository = this.#find(request, response, `${kind}/${id}`);
    if (!repository) return;
    const { commit, revisions = ["main"], files } = repository;
    if (revision !== commit && !revisions.includes(revision)) {
      response.writeHead(404, { "x-error-code": "RevisionNotFound", "x-error-message": "Invalid rev id" }).end();
      return;
    }
    const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
    const about = { id, modelId: id, sha: commit, private: false, siblings, tags: [] };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(what === "tree" ? treeOf(files) : about));
  }

  #file(request: IncomingMessage, response: ServerResponse, [kind, id, place]: readonly string[]): void {
    const renamed = Object.entries(this.repositories).find(([, { formerly }]) => formerly === `${kind}/${id}`);
    const key = renamed?.[0] ?? `${kind}/${id}`;
    const repository = this.#find(request, response, key);
    if (!repository) return;
    const { commit, revisions = ["main"], files } = repository;
    const revision = [commit, ...revisions].find((name) => place.startsWith(`${name}/`));
    const path = place.slice((revision ?? "").length + 1);
    if (revision === undefined || !Object.hasOwn(files, path)) {
      const code = revision === undefined ? "RevisionNotFound" : "EntryNotFound";
      response.writeHead(404, { "x-error-code": code, "x-error-message": "not found", "x-repo-commit": commit }).end();
      return;
    }
    const content = files[path];
    if (content.length < LARGE) {
      const location = `/api/resolve-cache/${key}/${commit}/${encodeURIComponent(path)}?etag=1`;
      response.writeHead(307, { location, "x-repo-commit": commit }).end();
      return;
    }
    const etag = sha256Of(content);
    const headers = { "x-repo-commit": commit, "x-linked-etag": `"${etag}"`, "x-linked-size": content.length };
    response.writeHead(302, { ...headers, location: `${this.#cdnAddress}/blob/${etag}?signature=1` }).end();
  }

  #small(request: IncomingMessage, response: ServerResponse, [, kind, id, commit, path]: readonly string[]): void {
    const repository = this.#find(request, response, `${kind}/${id}`);
    const content = repository?.files[path];
    if (!content) return;
    const etag = `"${gitShaOf(content)}"`;
    response.writeHead(200, { etag, "x-repo-commit": commit, "content-length": content.length });
    response.end(request.method === "HEAD" ? undefined : content);
  }

  async #content(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const etag = /^\/blob\/([0-9a-f]{64})/.exec(request.url ?? "")?.[1];
    const all = Object.values(this.repositories).flatMap(({ files }) => Object.values(files));
    const found = all.find((content) => sha256Of(content) === etag);
    if (!found) return void response.writeHead(404).end();
    const content = this.corrupt?.(found) ?? found;
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
    const headers = { etag: '"of-the-cdn"', "accept-ranges": "bytes", "content-length": content.length - from };
    response.writeHead(from > 0 ? 206 : 200, { ...headers, ...(from > 0 && range) });
    if (request.method === "HEAD") return void response.end();
    const end = Math.min(content.length, from + (this.breaks.shift() ?? Infinity));
    for (let at = from; at < end && !response.destroyed; at += 16_384) {
      await new Promise((resolve) => response.write(content.subarray(at, Math.min(end, at + 16_384)), resolve));
      if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
    }
    if (end === content.length) return void response.end();
    // A client that learns of the break before it has read what came before would lose that.
    await new Promise((resolve) => setTimeout(resolve, 100));
    response.destroy();
  }
}

function treeOf(files: ServedRepository["files"]): object[] {
  return Object.entries(files).map(([path, content]) => {
    const size = content.length;
    const lfs = { oid: sha256Of(content), size, pointerSize: 134 };
    return { type: "file", path, size, oid: gitShaOf(content), lfs: size >= LARGE ? lfs : undefined };
  });
}
