import { copyFile, link, mkdir, readdir, rename, stat, symlink, unlink } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { writeFileAtomic } from "../../io/atomic.node.ts";
import { errorCode, fileError } from "../../io/file-errors.node.ts";
import { readRegularText } from "../../io/regular-file.node.ts";
import { checkedParts } from "../source/source.ts";
import { isCommit } from "./repository.ts";
import type { Repository } from "./repository.ts";

/**
 * What is kept of a repository, as huggingface_hub lays it out, so that both sides find what either has fetched:
 *
 *     models--owner--name/refs/main                        the commit that `main` was
 *     models--owner--name/snapshots/<commit>/unet/a.json   a link to
 *     models--owner--name/blobs/<etag>                     the content
 */
export class RepositoryCache {
  readonly #folder: string;
  readonly #usesSymlinks: boolean;

  constructor(directory: string, { kind, id }: Repository, usesSymlinks: boolean) {
    this.#folder = join(directory, [`${kind}s`, ...id.split("/")].join("--"));
    this.#usesSymlinks = usesSymlinks;
  }

  /** The commit that a revision was when the hub was last asked; undefined if it never was. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return (await isThere(this.snapshot(revision))) ? revision : undefined;
    const text = await readRegularText(this.#refOf(revision)).catch(() => "");
    const commit = text.trim();
    return isCommit(commit) ? commit : undefined;
  }

  async remember(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.commitOf(revision)) === commit) return;
    const path = this.#refOf(revision);
    await makeFolder(dirname(path));
    await writeFileAtomic(path, commit);
  }

  snapshot(commit: string): string {
    return join(this.#folder, "snapshots", commit);
  }

  async has(commit: string, path: string): Promise<boolean> {
    return isThere(this.#pathOf(commit, path));
  }

  /** Paths of all files of a commit that are there. */
  async files(commit: string): Promise<string[]> {
    const found: string[] = [];
    const visit = async (folder: string, prefix: string): Promise<void> => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.isDirectory()) await visit(join(folder, entry.name), `${prefix}${entry.name}/`);
        else if (!entry.name.endsWith(".tmp")) found.push(prefix + entry.name);
      }
    };
    await visit(this.snapshot(commit), "");
    return found.toSorted();
  }

  /** Where the content of this name belongs; the folder is there. */
  async blob(etag: string): Promise<string> {
    const folder = join(this.#folder, "blobs");
    await makeFolder(folder);
    return join(folder, etag);
  }

  /** Gives content that is there a place in a commit: a link, or, where a system has none of either kind, a copy. */
  async place(commit: string, path: string, blob: string): Promise<void> {
    const target = this.#pathOf(commit, path);
    await makeFolder(dirname(target));
    const temporary = join(dirname(target), `.${randomUUID().slice(0, 8)}.tmp`);
    const ways = [
      ...(this.#usesSymlinks ? [() => symlink(relative(dirname(target), blob), temporary)] : []),
      () => link(blob, temporary),
      () => copyFile(blob, temporary),
    ];
    try {
      await firstOf(ways);
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw fileError(target, "write", error);
    }
  }

  #refOf(revision: string): string {
    return join(this.#folder, "refs", ...checkedParts("revision", revision));
  }

  #pathOf(commit: string, path: string): string {
    return join(this.snapshot(commit), ...checkedParts("snapshot", path));
  }
}

/** Whether there is a file or a folder, and not a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw fileError(path, "write", error);
  }
}

/** What a file system answers that has no links, or to someone who may not make them. */
const CANNOT = ["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EINVAL", "UNKNOWN", "EMLINK"];

async function firstOf(ways: readonly (() => Promise<void>)[]): Promise<void> {
  for (const [i, way] of ways.entries()) {
    try {
      await way();
      return;
    } catch (error) {
      if (i === ways.length - 1 || !CANNOT.includes(errorCode(error) ?? "")) throw error;
    }
  }
}
