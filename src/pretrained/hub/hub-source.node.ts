import { errorLine } from "../../io/file-errors.node.ts";
import { FolderSource } from "../source/folder.node.ts";
import { checkedParts } from "../source/source.ts";
import type { Source, SourceFile } from "../source/source.ts";
import { RepositoryCache } from "./cache.node.ts";
import { HubClient, HubUnreachable } from "./client.node.ts";
import { fetchContent } from "./content.node.ts";
import { checkRepository } from "./repository.ts";
import type { Repository } from "./repository.ts";
import { hubSettings } from "./settings.node.ts";
import type { HubOptions } from "./settings.node.ts";

/** A revision of a repository: its commit, and what the hub says that it has; undefined where only the cache is asked. */
interface Revision {
  readonly commit: string;
  readonly files: ReadonlySet<string> | undefined;
}

/**
 * The files of a repository of the hub. Each is fetched when it is first asked for, into the cache that huggingface_hub
 * shares. Where the hub cannot be asked, what the cache has must do.
 */
export class HubSource implements Source {
  readonly name: string;
  readonly #repository: Repository;
  readonly #revision: Revision;
  readonly #cache: RepositoryCache;
  readonly #client: HubClient;
  readonly #options: HubOptions;

  private constructor(
    repository: Repository,
    revision: Revision,
    cache: RepositoryCache,
    client: HubClient,
    options: HubOptions,
  ) {
    this.name = revision.files === undefined ? `${repository.id} as it is in the cache` : repository.id;
    this.#repository = { ...repository, revision: revision.commit };
    this.#revision = revision;
    this.#cache = cache;
    this.#client = client;
    this.#options = options;
  }

  /** @throws Error of one line if there is no such repository or revision, or it may not be read */
  static async open(kind: Repository["kind"], id: string, options: HubOptions = {}): Promise<HubSource> {
    const repository: Repository = { kind, id, revision: options.revision ?? "main" };
    checkRepository(repository);
    const settings = await hubSettings(options);
    const cache = new RepositoryCache(settings.cacheDirectory, repository, settings.usesSymlinks);
    const client = new HubClient(settings, options.signal);
    const kept = async (why: string): Promise<Revision> => {
      const commit = await cache.commitOf(repository.revision);
      if (commit !== undefined) return { commit, files: undefined };
      const place = `${id} at revision ${repository.revision}`;
      throw new Error(`${place}: not in the cache ${settings.cacheDirectory}, and ${why}`);
    };
    const revision = settings.isOffline
      ? await kept("the hub is not asked (HF_HUB_OFFLINE, localFilesOnly)")
      : await client.info(repository).catch(async (error: unknown) => {
          if (!(error instanceof HubUnreachable)) throw error;
          const found = await kept(error.message);
          options.log?.(`${error.message}; ${id} comes from the cache`);
          return found;
        });
    // What is in a cache that cannot be written may be read.
    if (revision.files) {
      await cache
        .remember(repository.revision, revision.commit)
        .catch((error: unknown) => options.log?.(errorLine(error)));
    }
    return new HubSource(repository, revision, cache, client, options);
  }

  get commit(): string {
    return this.#revision.commit;
  }

  /** Paths of all files: of the repository, or, without the hub, of the cache. */
  async paths(): Promise<readonly string[]> {
    const { commit, files } = this.#revision;
    return files ? [...files].toSorted() : this.#cache.files(commit);
  }

  async withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined> {
    const { commit, files } = this.#revision;
    checkedParts(this.name, path);
    if (files && !files.has(path)) return undefined;
    if (files && !(await this.#cache.has(commit, path))) await this.#fetch(path);
    return new FolderSource(this.#cache.snapshot(commit)).withFile(path, use);
  }

  async #fetch(path: string): Promise<void> {
    const { onProgress, signal } = this.#options;
    const { etag, bytes } = await this.#client.metadata(this.#repository, path);
    const target = await this.#cache.blob(etag);
    await fetchContent({
      target,
      bytes,
      name: `${this.#repository.id}: ${path}`,
      ask: async (from) => this.#client.content(this.#repository, path, from),
      onBytes: onProgress && ((receivedBytes) => onProgress({ file: path, receivedBytes, totalBytes: bytes })),
      signal,
    });
    await this.#cache.place(this.#revision.commit, path, target);
  }
}
