import { readRegularText } from "./regular-file.node.ts";

/**
 * Reads a JSON file, whose content is still to be checked.
 *
 * @throws Error of one line naming the file if it cannot be read or is not JSON
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readRegularText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, line breaks and all.
    throw new Error(`${path}: not JSON`, { cause: error });
  }
}
