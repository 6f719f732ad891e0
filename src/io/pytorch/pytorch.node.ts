import { KIND_BYTES, contentKind } from "../content-kind.ts";
import { readStart, withRegularFile } from "../regular-file.node.ts";
import { parsePytorch } from "./state-dict.ts";
import type { PytorchFile } from "./state-dict.ts";

/**
 * Reads a PyTorch file, see {@link parsePytorch}.
 *
 * @throws Error of one line naming the file
 */
export async function readPytorch(path: string): Promise<PytorchFile> {
  return withRegularFile(path, async (file) => {
    const start = await readStart(file, Math.min(KIND_BYTES, file.bytes));
    // What is something else is refused before all of it is read.
    if (start[0] !== 0x50 && contentKind(start) !== undefined) return parsePytorch(start, path);
    return parsePytorch(await readStart(file, file.bytes), path);
  });
}
