import { butItIs, contentKind } from "../../io/content-kind.ts";
import type { Extent, FileFormat } from "../../io/file-format.ts";

const BLOCK = 512;

/** Where a header has its fields, in bytes (POSIX ustar). */
const fields = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  type: [156, 157],
  prefix: [345, 500],
} as const;

/**
 * The files of a tar archive by name, as views of it. Directories, links and what else an archive may hold are passed
 * over.
 *
 * @param bytes the archive, no longer compressed
 * @param source name of the archive for messages
 * @throws Error if it is no tar archive or ends before its files do
 */
export function parseTar(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const entry = readEntry(bytes, at, source, bytes.length);
    if (entry === undefined) break;
    const { name, type, start, size } = entry;
    // A plain file; old archives leave the type empty.
    if (type === "0" || type === "") files.set(name, bytes.subarray(start, start + size));
    at = entry.next;
  }
  return files;
}

/** What is known of a tar archive before all of it is there: that it goes on up to its last file and the end after it. */
export function tarFormat(maxBytes: number): FileFormat {
  return { maxBytes, extent: (source) => tarExtent(source, maxBytes) };
}

/** Blocks of zeros that tar appends so that the archive fills whole records; the largest usual record has 1 MiB. */
const MOST_PADDING = 2 ** 20;

function tarExtent(source: string, maxBytes: number): Extent {
  let at = 0;
  return (bytes, fileBytes) => {
    while (at + BLOCK <= Math.min(bytes.length, fileBytes ?? Infinity)) {
      const entry = readEntry(bytes, at, source, fileBytes ?? maxBytes);
      if (entry === undefined) return fileBytes ?? at + MOST_PADDING;
      at = entry.next;
    }
    return undefined;
  };
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly start: number;
  readonly size: number;
  /** Where the next one is. */
  readonly next: number;
}

/** The entry whose header is at a byte, or undefined at the end of the archive. */
function readEntry(bytes: Uint8Array, at: number, source: string, end: number): Entry | undefined {
  const header = bytes.subarray(at, at + BLOCK);
  // Two blocks of zeros are the end; one is enough. An archive does not begin with it.
  if (at > 0 && header.every((byte) => byte === 0)) return undefined;
  if (header.length < BLOCK || numberOf(header, "checksum") !== checksumOf(header)) {
    const other = at === 0 && header.length === BLOCK && contentKind(header)?.name !== "a tar archive";
    if (other && butItIs(header) !== "") throw new Error(`${source}: not a tar archive${butItIs(header)}`);
    throw new Error(`${source}: damaged tar file: no header at byte ${at}`);
  }
  const size = numberOf(header, "size");
  const start = at + BLOCK;
  if (Number.isNaN(size) || start + size > end) {
    throw new Error(`${source}: damaged tar file: ${JSON.stringify(textOf(header, "name"))} ends after it`);
  }
  const prefix = textOf(header, "prefix");
  const name = (prefix === "" ? "" : `${prefix}/`) + textOf(header, "name");
  return { name, type: textOf(header, "type"), start, size, next: start + Math.ceil(size / BLOCK) * BLOCK };
}

/** Up to the first zero. */
function textOf(header: Uint8Array, field: keyof typeof fields): string {
  const bytes = header.subarray(...fields[field]);
  const end = bytes.indexOf(0);
  return new TextDecoder("latin1").decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** Octal digits; not a number for anything else, such as sizes from 8 GiB up. */
function numberOf(header: Uint8Array, field: "size" | "checksum"): number {
  const digits = textOf(header, field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** The sum of the header's bytes, with blanks in place of the sum itself. */
function checksumOf(header: Uint8Array): number {
  const [start, end] = fields.checksum;
  return header.reduce((sum, byte, i) => sum + (i >= start && i < end ? 0x20 : byte), 0);
}
