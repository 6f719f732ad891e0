import { createGunzip } from "node:zlib";
import { errorLine } from "./file-errors.node.ts";
import type { FileFormat } from "./file-format.ts";

/** Deflate makes no more of a byte than this. */
const MOST_PER_BYTE = 1032;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks gzip piece by piece, no further than the content says that it goes, so that a small hostile archive cannot
 * fill the memory.
 *
 * @param source name of the file for messages
 * @throws Error of one line naming the file if it is damaged, too long, or not what was expected
 */
export async function gunzip(packed: Uint8Array, source: string, format: FileFormat): Promise<Uint8Array<ArrayBuffer>> {
  const limit = format.maxBytes;
  const extent = format.extent(source);
  const damaged = (problem: string, cause?: unknown): Error =>
    new Error(`${source}: damaged gzip file: ${problem}`, { cause });
  const most = Math.min(limit, packed.length * MOST_PER_BYTE);
  let content = new Uint8Array(0);
  let length = 0;
  let expected: number | undefined;
  const take = (piece: Uint8Array): void => {
    if (length + piece.length > limit) throw damaged(`it unpacks to more than ${limit} bytes`);
    if (length + piece.length > content.length) {
      const size = Math.max(expected ?? 0, 2 * content.length, length + piece.length);
      content = grown(content, length, Math.min(size, most));
    }
    content.set(piece, length);
    length += piece.length;
    expected ??= extent(content.subarray(0, length));
    if (expected !== undefined && expected > limit) throw damaged(`it unpacks to more than ${limit} bytes`);
    if (expected !== undefined && length > expected) {
      throw damaged(`it unpacks to more than the ${expected} bytes that its header asks for`);
    }
  };
  const stream = createGunzip();
  let refusal: unknown;
  stream.end(packed);
  const pieces = stream as AsyncIterable<Uint8Array>;
  try {
    for await (const piece of pieces) {
      try {
        take(piece);
      } catch (error) {
        refusal = error;
        break;
      }
    }
  } catch (error) {
    throw damaged(errorLine(error), error);
  }
  if (refusal instanceof Error) throw refusal;
  return content.subarray(0, length);
}

function grown(content: Uint8Array, length: number, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size);
  larger.set(content.subarray(0, length));
  return larger;
}
