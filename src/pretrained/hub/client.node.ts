import * as z from "zod/mini";
import { check } from "../../config/rules.ts";
import { reason } from "../source/pieces.ts";
import { checkedParts } from "../source/source.ts";
import { filesUrl, infoUrl, isCommit, pageUrl } from "./repository.ts";
import type { Repository } from "./repository.ts";
import type { HubSettings } from "./settings.node.ts";

/** The hub could not be asked: no network, or it is out of order. */
export class HubUnreachable extends Error {}

/** What the hub says of a file before it sends it. */
export interface FileMetadata {
  /** Names the content: the SHA-256 of large files, git's SHA-1 of others. */
  readonly etag: string;
  readonly bytes: number;
}

export interface RepositoryInfo {
  readonly commit: string;
  readonly files: ReadonlySet<string>;
}

/** Milliseconds until the hub has to begin its answer. */
const ANSWER_MS = 10_000;
const MOST_REDIRECTS = 8;
const MOST_BYTES = 2 ** 50;

const info = z.object({ sha: z.string(), siblings: z.array(z.object({ rfilename: z.string() })) });

/** Asks the hub. The token goes to the hub itself and to no other host. */
export class HubClient {
  readonly #settings: HubSettings;
  readonly #signal: AbortSignal | undefined;

  constructor(settings: HubSettings, signal?: AbortSignal) {
    this.#settings = settings;
    this.#signal = signal;
  }

  /** The commit that a revision means, and its files. */
  async info(repository: Repository): Promise<RepositoryInfo> {
    const url = infoUrl(this.#settings.endpoint, repository);
    const response = await this.#ask("GET", url, repository, { accept: "application/json" });
    if (!response.ok) throw await this.#fault(response, repository);
    const label = `${repository.id}: the hub's answer`;
    const { sha, siblings } = check(info, await jsonOf(response, label), label);
    if (!isCommit(sha)) throw new Error(`${label}: sha must be a commit, got ${JSON.stringify(sha.slice(0, 80))}`);
    const files = siblings.map(({ rfilename }) => rfilename);
    for (const file of files) checkedParts(label, file);
    return { commit: sha, files: new Set(files) };
  }

  /** @param repository at a commit */
  async metadata(repository: Repository, path: string): Promise<FileMetadata> {
    const url = this.#urlOf(repository, path);
    // Where a large file lies says nothing of it; the hub's own answer does.
    const response = await this.#ask("HEAD", url, repository, { "accept-encoding": "identity" }, "own");
    if (response.status >= 400) throw await this.#fault(response, repository, path);
    const { headers } = response;
    const etag = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    const bytes = Number(headers.get("x-linked-size") ?? headers.get("content-length") ?? NaN);
    // It becomes the name of a file.
    if (!/^[\w-][\w.-]{0,199}$/.test(etag) || !(Number.isSafeInteger(bytes) && bytes >= 0 && bytes < MOST_BYTES)) {
      throw new Error(`${repository.id}: ${path}: the hub does not say what it is: no ETag, or no length`);
    }
    return { etag, bytes };
  }

  /** Asks for a file from a byte on. The answer's body is still to come. */
  async content(repository: Repository, path: string, from: number): Promise<Response> {
    const headers = { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) };
    const response = await this.#ask("GET", this.#urlOf(repository, path), repository, headers);
    if (response.status >= 400 && response.status < 500) throw await this.#fault(response, repository, path);
    return response;
  }

  #urlOf(repository: Repository, path: string): string {
    const files = filesUrl(this.#settings.endpoint, repository);
    return `${files}/${path.split("/").map(encodeURIComponent).join("/")}`;
  }

  /** @param follow redirects to everywhere, or those that stay on the host that is asked */
  async #ask(
    method: "GET" | "HEAD",
    address: string,
    { id }: Repository,
    headers: Readonly<Record<string, string>>,
    follow: "all" | "own" = "all",
  ): Promise<Response> {
    let url = new URL(address);
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const response = await this.#once(method, url, headers);
      const location = response.headers.get("location");
      if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response;
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (!next || !/^https?:$/.test(next.protocol) || (url.protocol === "https:" && next.protocol === "http:")) {
        throw new Error(`${id}: the hub redirects to ${JSON.stringify(location.slice(0, 200))}, which is not followed`);
      }
      if (follow === "own" && next.host !== url.host) return response;
      await response.body?.cancel();
      url = next;
    }
    throw new Error(`${id}: the hub redirects more than ${MOST_REDIRECTS} times`);
  }

  async #once(method: string, url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
    const { endpoint, token } = this.#settings;
    const own = token !== undefined && url.origin === new URL(endpoint).origin;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    const signal = this.#signal ? AbortSignal.any([this.#signal, late.signal]) : late.signal;
    try {
      const all = own ? { ...headers, authorization: `Bearer ${token}` } : headers;
      return await fetch(url, { method, headers: all, redirect: "manual", signal });
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw new HubUnreachable(`${url.origin} cannot be reached: ${reason(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** What an answer that brings nothing means. */
  async #fault(response: Response, repository: Repository, path?: string): Promise<Error> {
    const { headers, status } = response;
    await response.body?.cancel();
    const { endpoint, token } = this.#settings;
    const { id, kind, revision } = repository;
    const code = headers.get("x-error-code");
    const said = (headers.get("x-error-message") ?? "").split("\n", 1)[0].slice(0, 300);
    const sends = token === undefined ? "give a token (HF_TOKEN)" : "the token that is given does not allow it";
    if (code === "GatedRepo") {
      return new Error(`${id}: is gated: accept its terms at ${pageUrl(endpoint, repository)}; ${sends}`);
    }
    if (code === "RevisionNotFound") return new Error(`${id}: has no revision ${revision}`);
    if (code === "EntryNotFound") return new Error(`${id}: has no file ${path ?? ""} at revision ${revision}`);
    if (/invalid (credentials|username or password)/i.test(said)) {
      return new Error(`${endpoint} does not know the token (HF_TOKEN)`);
    }
    if (code === "RepoNotFound" || status === 401 || status === 404) {
      return new Error(`${id}: there is no such ${kind} at ${endpoint}, or it is private: ${sends}`);
    }
    if (status === 429)
      return new HubUnreachable(`${endpoint} has been asked too often: wait, or give a token (HF_TOKEN)`);
    const why = said === "" ? "" : `: ${said}`;
    if (status >= 500) return new HubUnreachable(`${endpoint} answers ${status}${why}`);
    return new Error(`${id}: ${endpoint} answers ${status}${why}`);
  }
}

async function jsonOf(response: Response, label: string): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new Error(`${label}: not JSON`, { cause: error });
  }
}
