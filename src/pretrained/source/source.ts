import { parsePythonJson } from "../../io/python-json.ts";

/** A file of a {@link Source} that is open to be read. */
export interface SourceFile {
  /** For messages. */
  readonly name: string;
  /** Its length. */
  readonly bytes: number;
  /** The bytes from `begin` to `end`, exclusive. A range begins where the one before it has ended, or later. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Where the files of a model are: a folder, an address, what a page was given, or the hub. */
export interface Source {
  /** For messages. */
  readonly name: string;
  /**
   * Opens a file, uses it and closes it.
   *
   * @param path below the source, its parts joined by "/"
   * @returns what `use` returns; undefined if there is no such file
   * @throws Error of one line naming the file if it is there and cannot be read, or the path leaves the source
   */
  withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined>;
}

/** No configuration of a model is larger. */
const MOST_JSON_BYTES = 64 * 2 ** 20;

/**
 * A JSON file of a source, whose content is still to be checked; undefined if there is no such file.
 *
 * @throws Error of one line naming the file if it is not JSON
 */
export async function readJson(source: Source, path: string): Promise<{ readonly value: unknown } | undefined> {
  return source.withFile(path, async (file) => {
    if (file.bytes > MOST_JSON_BYTES) {
      throw new Error(`${file.name}: must have at most ${MOST_JSON_BYTES} bytes, got ${file.bytes}`);
    }
    const text = new TextDecoder().decode(await file.read(0, file.bytes));
    try {
      return { value: parsePythonJson(text) };
    } catch (error) {
      // The parser's own message quotes the text, line breaks and all.
      throw new Error(`${file.name}: not JSON`, { cause: error });
    }
  });
}

/** The path of a file in a subfolder of a source; "" is the source itself. */
export function inFolder(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/**
 * The parts of a path that a file from outside, or a caller, may have named.
 *
 * @throws Error of one line if it is empty, absolute, or leaves the source
 */
export function checkedParts(source: string, path: string): string[] {
  const parts = path.split("/");
  const isSafe = (part: string): boolean => part !== "" && part !== "." && part !== ".." && !/[\\:\0]/.test(part);
  if (parts.every(isSafe)) return parts;
  throw new Error(`${source}: a file's path must stay inside of it, got ${JSON.stringify(path.slice(0, 200))}`);
}
