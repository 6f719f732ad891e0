import { stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../io/file-errors.node.ts";
import { readRange, withRegularFile } from "../../io/regular-file.node.ts";
import { checkedParts } from "./source.ts";
import type { Source, SourceFile } from "./source.ts";

/** The files of a folder. Links in it are followed wherever they lead, as those of the hub's cache do. */
export class FolderSource implements Source {
  readonly name: string;

  constructor(path: string) {
    this.name = path;
  }

  async withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined> {
    const name = join(this.name, ...checkedParts(this.name, path));
    if (!(await exists(name))) return undefined;
    return withRegularFile(name, async (file) =>
      use({ name, bytes: file.bytes, read: (begin, end) => readRange(file, begin, end) }),
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => !["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? ""),
  );
}
