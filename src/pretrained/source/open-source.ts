import { isNode } from "../../backend/opener.ts";
import { HUB, checkRepository, filesUrl, isRepositoryId } from "../hub/repository.ts";
import { DirectorySource, FileListSource } from "./page-files.ts";
import type { DirectoryHandle } from "./page-files.ts";
import type { Source } from "./source.ts";
import { UrlSource } from "./url-source.ts";
import type { PretrainedProgress } from "./url-source.ts";

/**
 * Where a model is: in Node a folder's path; everywhere the name of a repository of the hub, an address that begins with
 * http, an own {@link Source}; in a page also what begins with `/` or `./`, and what its user has chosen, as a directory or
 * as the files of one.
 */
export type PretrainedLocation = string | URL | ArrayLike<File> | DirectoryHandle | Source;

export interface SourceOptions {
  /** Of a repository of the hub: a branch, a tag or a commit; `main` by default. */
  readonly revision?: string | undefined;
  /** For the hub; false sends none. Default in Node: `HF_TOKEN`, or the file that Python keeps. */
  readonly token?: string | false | undefined;
  /** In Node, where files of the hub are kept. Default: where Python keeps them. */
  readonly cacheDir?: string | undefined;
  /** In Node, asks the hub nothing. Default: whether `HF_HUB_OFFLINE` is set. */
  readonly localFilesOnly?: boolean | undefined;
  readonly onProgress?: ((progress: PretrainedProgress) => void) | undefined;
  /** Is given one line where something unusual happens. */
  readonly log?: ((line: string) => void) | undefined;
  /** Stops by throwing its reason. */
  readonly signal?: AbortSignal | undefined;
}

export const sourceOptionTypes = {
  revision: "string",
  token: "any",
  cacheDir: "string",
  localFilesOnly: "boolean",
  onProgress: "function",
  log: "function",
  signal: "object",
} as const satisfies Record<keyof SourceOptions, string>;

export interface NodeSources {
  /** A folder, or a repository of the hub. */
  readonly openInNode: (place: string, options: SourceOptions) => Promise<Source>;
}

// No literal in the import: a bundler for browsers would follow it.
const forNode = "./open-source.node.ts";

/** @throws Error of one line if there can be no such place */
export async function openSource(where: PretrainedLocation, options: SourceOptions): Promise<Source> {
  if (typeof where === "string") {
    if (/^https?:/i.test(where)) return new UrlSource(where, options);
    if (!isNode()) return openInPage(where, options);
    const { openInNode } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ forNode)) as NodeSources;
    return openInNode(where, options);
  }
  if (where instanceof URL) return new UrlSource(where.href, options);
  if ("withFile" in where) return where;
  if ("length" in where) return new FileListSource(where);
  if (where.kind === "directory") return new DirectorySource(where);
  throw new Error("pretrained: must be a folder, a name, an address, files or a directory");
}

function openInPage(where: string, options: SourceOptions): Source {
  if (/^\.{0,2}\//.test(where) || !isRepositoryId(where)) {
    return new UrlSource(new URL(where, document.baseURI).href, options);
  }
  const { revision = "main", token } = options;
  const repository = { kind: "model", id: where, revision } as const;
  checkRepository(repository);
  const headers = typeof token === "string" ? { authorization: `Bearer ${token}` } : undefined;
  return new UrlSource(filesUrl(HUB, repository), { ...options, headers });
}
