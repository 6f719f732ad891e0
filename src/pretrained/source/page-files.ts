import { checkedParts } from "./source.ts";
import type { Source, SourceFile } from "./source.ts";

/** A directory that a page's user has picked, as `showDirectoryPicker()` gives it. */
export interface DirectoryHandle {
  readonly kind: "directory";
  readonly name: string;
  getDirectoryHandle(name: string): Promise<DirectoryHandle>;
  getFileHandle(name: string): Promise<{ getFile(): Promise<File> }>;
}

/** The files that `<input type="file" webkitdirectory>` gives, or of a list. */
export class FileListSource implements Source {
  readonly name: string;
  readonly #files: ReadonlyMap<string, File>;

  constructor(files: ArrayLike<File>) {
    const named = Array.from(files, (file) => [file.webkitRelativePath || file.name, file] as const);
    const folder = commonFolder(named.map(([path]) => path));
    this.name = folder === "" ? "the chosen files" : folder.slice(0, -1);
    this.#files = new Map(named.map(([path, file]) => [path.slice(folder.length), file]));
  }

  async withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined> {
    const file = this.#files.get(checkedParts(this.name, path).join("/"));
    return file && use(fileOf(file, `${this.name}/${path}`));
  }
}

/** The files of a directory that the page may read. */
export class DirectorySource implements Source {
  readonly name: string;
  readonly #directory: DirectoryHandle;

  constructor(directory: DirectoryHandle) {
    this.name = directory.name;
    this.#directory = directory;
  }

  async withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined> {
    const parts = checkedParts(this.name, path);
    const file = await this.#find(parts);
    return file && use(fileOf(file, `${this.name}/${path}`));
  }

  async #find(parts: readonly string[]): Promise<File | undefined> {
    try {
      let directory = this.#directory;
      for (const part of parts.slice(0, -1)) directory = await directory.getDirectoryHandle(part);
      return await (await directory.getFileHandle(parts.at(-1) ?? "")).getFile();
    } catch (error) {
      if (error instanceof Error && ["NotFoundError", "TypeMismatchError"].includes(error.name)) return undefined;
      throw error;
    }
  }
}

function fileOf(file: File, name: string): SourceFile {
  return {
    name,
    bytes: file.size,
    read: async (begin, end) => {
      const content = new Uint8Array(await file.slice(begin, end).arrayBuffer());
      if (content.length === end - begin) return content;
      throw new Error(`${name}: became shorter while it was read`);
    },
  };
}

/** The folder that all paths begin with, with its slash: "" where there is none. */
function commonFolder([first = "", ...others]: readonly string[]): string {
  const folder = first.slice(0, first.indexOf("/") + 1);
  return others.every((path) => path.startsWith(folder)) ? folder : "";
}
