import { butItIs, contentKind } from "../content-kind.ts";
import { JsonCursor } from "../json-cursor.ts";

/**
 * The header of a safetensors file: a 64-bit little-endian length, then JSON that gives every tensor's dtype, shape
 * and byte range. Everything here comes from outside, so all of it is checked.
 */

/**
 * Bits of one element and the array that holds them, in the reference implementation's order of dtypes: it writes
 * tensors from the last dtype to the first, so that wide elements come first and all stay aligned.
 */
export const safeDtypes = {
  BOOL: { bits: 8, array: Uint8Array },
  F4: { bits: 4, array: Uint8Array },
  F6_E2M3: { bits: 6, array: Uint8Array },
  F6_E3M2: { bits: 6, array: Uint8Array },
  U8: { bits: 8, array: Uint8Array },
  I8: { bits: 8, array: Int8Array },
  F8_E5M2: { bits: 8, array: Uint8Array },
  F8_E4M3: { bits: 8, array: Uint8Array },
  F8_E8M0: { bits: 8, array: Uint8Array },
  F8_E4M3FNUZ: { bits: 8, array: Uint8Array },
  F8_E5M2FNUZ: { bits: 8, array: Uint8Array },
  I16: { bits: 16, array: Int16Array },
  U16: { bits: 16, array: Uint16Array },
  F16: { bits: 16, array: Uint16Array },
  BF16: { bits: 16, array: Uint16Array },
  I32: { bits: 32, array: Int32Array },
  U32: { bits: 32, array: Uint32Array },
  F32: { bits: 32, array: Float32Array },
  C64: { bits: 64, array: Float32Array },
  F64: { bits: 64, array: Float64Array },
  I64: { bits: 64, array: BigInt64Array },
  U64: { bits: 64, array: BigUint64Array },
} as const;

export type SafeDtype = keyof typeof safeDtypes;

/** Where one tensor lies: bytes `begin` to `end` (exclusive) of the data behind the header. */
export interface TensorLayout {
  readonly name: string;
  readonly dtype: SafeDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: readonly TensorLayout[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes before the data. */
  readonly dataStart: number;
}

/** Bytes of the length field. */
export const lengthBytes = 8;
const OPENING_BRACE = 0x7b;
const maxHeaderBytes = 100_000_000;
/** More than any library has, so that a hostile header cannot ask for a huge list. */
const maxRank = 1000;
export const metadataKey = "__metadata__";

/** A name for a message: quoted, on one line, not too long. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

/** Bytes of a tensor, or undefined where it has no exact size: too large, or not a whole number of bytes. */
export function tensorBytes(dtype: SafeDtype, shape: readonly number[]): number | undefined {
  let size = 1;
  for (const dimension of shape) {
    size *= dimension;
    if (!Number.isSafeInteger(size)) return undefined;
  }
  size *= safeDtypes[dtype].bits;
  return Number.isSafeInteger(size) && size % 8 === 0 ? size / 8 : undefined;
}

/**
 * Bytes of the JSON, read from the first eight bytes of a file.
 *
 * @param start The first bytes of the file; {@link KIND_BYTES} of them tell what it is if it is something else.
 * @param fileBytes Length of the whole file.
 * @param source Name of the file for messages.
 */
export function headerBytes(start: Uint8Array, fileBytes: number, source: string): number {
  const refuse = (problem: string): never => {
    throw new Error(`${source}: not a safetensors file${butItIs(start) || `: ${problem}`}`);
  };
  if (fileBytes < lengthBytes || start.length < lengthBytes) {
    return refuse(`it has ${fileBytes} bytes and needs at least ${lengthBytes}`);
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > maxHeaderBytes) return refuse(`a header of ${length} bytes, at most ${maxHeaderBytes} are allowed`);
  // Other formats may begin with what reads as a length, but hardly go on with a brace.
  if (start.length > lengthBytes && start[lengthBytes] !== OPENING_BRACE && contentKind(start) !== undefined)
    refuse("");
  if (lengthBytes + Number(length) > fileBytes) {
    throw new Error(`${source}: damaged safetensors file: a header of ${length} bytes in a file of ${fileBytes} bytes`);
  }
  return Number(length);
}

/**
 * Reads and checks the header. The rules are those of the reference implementation: the tensors' ranges follow each
 * other without a hole or an overlap and end with the file, and each is as long as its dtype and shape say. Stricter
 * than it in what the format forbids and it lets pass: equal keys, space before the first brace, an entry given as a list.
 *
 * @param bytes The file, or as much of it as reaches the end of the header.
 * @param fileBytes Length of the whole file.
 * @param source Name of the file for messages.
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, source: string): SafetensorsHeader {
  const dataStart = lengthBytes + headerBytes(bytes, fileBytes, source);
  const fail = (problem: string): never => {
    throw new Error(`${source}: damaged safetensors file: ${problem}`);
  };
  const cursor = new JsonCursor(decode(bytes.subarray(lengthBytes, dataStart), fail), fail);
  const tensors: TensorLayout[] = [];
  let metadata: Record<string, string> = {};
  cursor.object((name) => {
    if (name === metadataKey) metadata = readMetadata(cursor);
    else tensors.push(readEntry(cursor, name, fail));
  });
  cursor.end();
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(tensors, fileBytes - dataStart, fail);
  return { tensors, metadata, dataStart };
}

type Fail = (problem: string) => never;

function decode(bytes: Uint8Array, fail: Fail): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("the header is not UTF-8");
  }
  return text.startsWith("{") ? text : fail("the header does not start with {");
}

function readEntry(cursor: JsonCursor, name: string, fail: Fail): TensorLayout {
  const label = `tensor ${quoteName(name)}`;
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  cursor.object((field) => {
    if (field === "dtype") dtype = cursor.string();
    else if (field === "shape")
      shape = readNaturals(cursor, maxRank, () => fail(`${label}: more than ${maxRank} axes`));
    else if (field === "data_offsets") offsets = readNaturals(cursor, 2, () => fail(`${label}: more than two offsets`));
    else cursor.skip();
  });
  if (/\p{Surrogate}/u.test(name)) return fail(`${label}: its name is not valid Unicode`);
  if (dtype === undefined || !isSafeDtype(dtype)) return fail(`${label}: unknown dtype ${quoteName(dtype ?? "")}`);
  if (shape === undefined) return fail(`${label} has no shape`);
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined) return fail(`${label} has no data_offsets of a begin and an end`);
  const size = tensorBytes(dtype, shape);
  const type = `${dtype} of shape [${shape.slice(0, 8).join(",")}]`;
  if (size === undefined) return fail(`${label}: ${type} has no usable size`);
  if (end - begin !== size) {
    return fail(`${label}: ${type} needs ${size} bytes, its data_offsets are [${begin},${end}]`);
  }
  return { name, dtype, shape, begin, end };
}

function readNaturals(cursor: JsonCursor, most: number, tooMany: () => never): number[] {
  const numbers: number[] = [];
  cursor.array((index) => {
    if (index === most) tooMany();
    numbers.push(cursor.natural());
  });
  return numbers;
}

function readMetadata(cursor: JsonCursor): Record<string, string> {
  const pairs: [string, string][] = [];
  if (!cursor.null()) cursor.object((key) => pairs.push([key, cursor.string()]));
  return Object.fromEntries(pairs);
}

function isSafeDtype(dtype: string): dtype is SafeDtype {
  return Object.hasOwn(safeDtypes, dtype);
}

function checkRanges(tensors: readonly TensorLayout[], dataBytes: number, fail: Fail): void {
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    if (begin !== covered) {
      fail(`tensor ${quoteName(name)}: its data starts at byte ${begin}, the tensor before ends at byte ${covered}`);
    }
    covered = end;
  }
  if (covered !== dataBytes) fail(`the tensors take ${covered} bytes, the file has ${dataBytes}`);
}
