/** One file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** A view of the archive. */
  readonly data: Uint8Array;
}

const END = 0x06054b50;
const END_BYTES = 22;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_BYTES = 20;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** A comment follows the end's record, of a length in 16 bits. */
const MOST_COMMENT = 0xffff;
/** What a 32-bit field holds whose value is in a zip64 field. */
const IN_ZIP64 = 0xffffffff;
/** Far more than a model has tensors. */
const MOST_ENTRIES = 1_000_000;

/**
 * The files of a zip archive by name, as PyTorch writes it: stored, not compressed, so that nothing unpacks to more than
 * is there.
 *
 * @param source name of the archive for messages
 * @throws Error of one line if it is no such archive or a checksum does not fit
 */
export function readZip(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const zip = new ZipReader(bytes, source);
  const entries = new Map<string, Uint8Array>();
  for (const { name, data } of zip.entries()) {
    if (entries.has(name)) throw zip.damaged(`it has ${JSON.stringify(name)} twice`);
    entries.set(name, data);
  }
  return entries;
}

class ZipReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: string;

  constructor(bytes: Uint8Array, source: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
  }

  damaged(problem: string): Error {
    return new Error(`${this.#source}: damaged zip archive: ${problem}`);
  }

  *entries(): Generator<ZipEntry> {
    const { count, start } = this.#directory();
    if (count > MOST_ENTRIES) throw this.damaged(`${count} files`);
    let at = start;
    for (let i = 0; i < count; i++) {
      if (this.#u32(at) !== CENTRAL) throw this.damaged(`no entry ${i} of its directory`);
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => this.#u16(at + field));
      const name = new TextDecoder().decode(this.#slice(at + CENTRAL_BYTES, nameBytes));
      if (this.#u16(at + 8) & 1) throw new Error(`${this.#source}: ${name} is encrypted`);
      if (this.#u16(at + 10) !== 0) {
        throw new Error(`${this.#source}: ${name} is compressed, which torch.save does not do: load and save it again`);
      }
      const extra = at + CENTRAL_BYTES + nameBytes;
      yield { name, data: this.#content(name, at, extra, extraBytes) };
      at = extra + extraBytes + commentBytes;
    }
  }

  /** How many entries there are, and where their directory starts. */
  #directory(): { readonly count: number; readonly start: number } {
    const last = this.#bytes.length - END_BYTES;
    for (let at = last; at >= Math.max(0, last - MOST_COMMENT); at--) {
      if (this.#u32(at) !== END || at + END_BYTES + this.#u16(at + 20) !== this.#bytes.length) continue;
      const locator = at - LOCATOR64_BYTES;
      if (locator >= 0 && this.#u32(locator) === LOCATOR64) {
        const end = this.#u64(locator + 8);
        if (this.#u32(end) !== END64) throw this.damaged("no end of its directory");
        return { count: this.#u64(end + 32), start: this.#u64(end + 48) };
      }
      return { count: this.#u16(at + 10), start: this.#u32(at + 16) };
    }
    throw this.damaged("its end is missing, as after a download that was cut off");
  }

  #content(name: string, at: number, extra: number, extraBytes: number): Uint8Array {
    const [packed, size, offset] = this.#sizes(at, extra, extraBytes);
    if (packed !== size) throw this.damaged(`${name} has ${packed} bytes and says ${size}`);
    if (this.#u32(offset) !== LOCAL) throw this.damaged(`${name} is not where its directory says`);
    const start = offset + LOCAL_BYTES + this.#u16(offset + 26) + this.#u16(offset + 28);
    const data = this.#slice(start, size);
    if (crc32(data) !== this.#u32(at + 16)) throw this.damaged(`the checksum of ${name} does not fit its content`);
    return data;
  }

  /** Packed and unpacked bytes and the place of an entry, which may stand in a zip64 field in this order. */
  #sizes(at: number, extra: number, extraBytes: number): [packed: number, size: number, offset: number] {
    const [size, packed, offset] = [24, 20, 42].map((field) => this.#u32(at + field));
    let zip64 = 0;
    for (let field = extra; field + 4 <= extra + extraBytes; field += 4 + this.#u16(field + 2)) {
      if (this.#u16(field) === 1) zip64 = field + 4;
    }
    const whole = (value: number): number => {
      if (value !== IN_ZIP64) return value;
      if (zip64 === 0) throw this.damaged("a size is missing");
      zip64 += 8;
      return this.#u64(zip64 - 8);
    };
    const [wholeSize, wholePacked, wholeOffset] = [size, packed, offset].map(whole);
    return [wholePacked, wholeSize, wholeOffset];
  }

  #slice(start: number, length: number): Uint8Array {
    if (start < 0 || start + length > this.#bytes.length) throw this.damaged("a part of it lies beyond its end");
    return this.#bytes.subarray(start, start + length);
  }

  #u16(at: number): number {
    this.#slice(at, 2);
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    this.#slice(at, 4);
    return this.#view.getUint32(at, true);
  }

  #u64(at: number): number {
    this.#slice(at, 8);
    return Number(this.#view.getBigUint64(at, true));
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  return remainder;
});

/** The checksum of ISO 3309, as zip uses it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
