import type { FileFormat } from "../io/file-format.ts";
import { KIND_BYTES } from "../io/content-kind.ts";
import { gunzip, isGzip } from "../io/gzip.node.ts";
import { readStart, withRegularFile } from "../io/regular-file.node.ts";

/** A file as it is on the disk, and unpacked. */
export interface PackedFile {
  readonly packed: Uint8Array;
  readonly bytes: Uint8Array;
  /** Name of the file for messages. */
  readonly source: string;
}

/** Unpacks gzip where the first bytes say so, and returns anything else as it is. */
export async function unpack(bytes: Uint8Array, source: string, format: FileFormat): Promise<Uint8Array> {
  return isGzip(bytes) ? gunzip(bytes, source, format) : bytes;
}

/**
 * Reads a file and unpacks it if it is gzipped. Its first bytes are judged before the rest is read.
 *
 * @throws Error of one line naming the file if it is missing, damaged, too long, or of another format
 */
export async function readPacked(path: string, format: FileFormat): Promise<PackedFile> {
  return withRegularFile(path, async (file) => {
    const start = await readStart(file, Math.min(KIND_BYTES, file.bytes));
    if (!isGzip(start)) format.extent(path)(start, file.bytes);
    if (file.bytes > format.maxBytes) {
      throw new Error(`${path}: such a file has at most ${format.maxBytes} bytes, this one has ${file.bytes}`);
    }
    const packed = await readStart(file, file.bytes);
    return { packed, bytes: await unpack(packed, path, format), source: path };
  });
}
