import { readFile } from "node:fs/promises";
import { fileError } from "./file-errors.node.ts";

/**
 * Reads a JSON file, whose content is still to be checked.
 *
 * @throws Error of one line naming the file if it cannot be read or is not JSON
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fileError(path, "read", error);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, line breaks and all.
    throw new Error(`${path}: not JSON`, { cause: error });
  }
}
