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
    const header = bytes.subarray(at, at + BLOCK);
    // Two blocks of zeros are the end; one is enough.
    if (header.every((byte) => byte === 0)) break;
    if (header.length < BLOCK || numberOf(header, "checksum") !== checksumOf(header)) {
      throw new Error(`${source}: damaged tar file: no header at byte ${at}`);
    }
    const size = numberOf(header, "size");
    const start = at + BLOCK;
    if (Number.isNaN(size) || start + size > bytes.length) {
      throw new Error(`${source}: damaged tar file: ${JSON.stringify(textOf(header, "name"))} ends after it`);
    }
    const prefix = textOf(header, "prefix");
    const type = textOf(header, "type");
    // A plain file; old archives leave the type empty.
    if (type === "0" || type === "") {
      files.set((prefix === "" ? "" : `${prefix}/`) + textOf(header, "name"), bytes.subarray(start, start + size));
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
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
