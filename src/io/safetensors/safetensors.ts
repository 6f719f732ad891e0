import { decodeBfloat16, decodeFloat16 } from "../../tensor/float16.ts";
import { lengthBytes, metadataKey, parseHeader, quoteName, safeDtypes, tensorBytes } from "./header.ts";
import type { SafeDtype, TensorLayout } from "./header.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

/**
 * One tensor of a file, in row-major order. F16 and BF16 are raw bits (see {@link toFloat32}), C64 is pairs of real and
 * imaginary part, and the dtypes of 8 bits and fewer that no typed array knows are raw bytes.
 */
export type SafeTensor = {
  readonly [D in SafeDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: InstanceType<(typeof safeDtypes)[D]["array"]>;
  };
}[SafeDtype];

export interface Safetensors {
  /** By name, in the order of their data. */
  readonly tensors: Map<string, SafeTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file. Arrays are views of `bytes` where alignment allows, copies otherwise.
 *
 * @param source Name of the file for messages.
 * @throws Error if the file breaks any rule of the format.
 */
export function parseSafetensors(bytes: Uint8Array, source = "safetensors"): Safetensors {
  const { tensors, metadata, dataStart } = parseHeader(bytes, bytes.length, source);
  const data = bytes.subarray(dataStart);
  return { tensors: new Map(tensors.map((layout) => [layout.name, viewTensor(data, layout)])), metadata };
}

function viewTensor(data: Uint8Array, layout: TensorLayout): SafeTensor {
  return tensorOf(data.subarray(layout.begin, layout.end), layout);
}

/** A tensor whose bytes were read: a view of them where they are aligned, a copy otherwise. */
export function tensorOf(bytes: Uint8Array, { dtype, shape }: TensorLayout): SafeTensor {
  const { array } = safeDtypes[dtype];
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  const elements = aligned.byteLength / array.BYTES_PER_ELEMENT;
  const construct = array as new (buffer: ArrayBufferLike, offset: number, length: number) => SafeTensor["data"];
  return { dtype, shape, data: new construct(aligned.buffer, aligned.byteOffset, elements) } as SafeTensor;
}

/**
 * Writes tensors, or arrays such as those of `stateDict`, and metadata as the reference implementation does, byte for byte: widest dtype first, then by name,
 * with the header padded to a multiple of eight bytes. Metadata is written in the order of its keys.
 *
 * @throws Error if a tensor's data does not fit its dtype and shape.
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor | NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (!(tensors instanceof Map)) throw new Error("safetensors: tensors must be a Map of tensors by name");
  const stored = Array.from(
    tensors as ReadonlyMap<string, SafeTensor | NdArray>,
    ([name, tensor]) => [name, safeTensorOf(tensor)] as const,
  );
  const sorted = stored.toSorted(([nameA, a], [nameB, b]) => {
    return dtypeOrder.indexOf(b.dtype) - dtypeOrder.indexOf(a.dtype) || compareCodePoints(nameA, nameB);
  });
  const fields = Object.keys(metadata).length > 0 ? [metadataField(metadata)] : [];
  let dataBytes = 0;
  for (const [name, tensor] of sorted) {
    checkTensor(name, tensor);
    const end = dataBytes + tensor.data.byteLength;
    const { dtype, shape } = tensor;
    // By hand: JSON.stringify of one object would move names such as "10" to the front.
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [dataBytes, end] })}`);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const paddedBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(lengthBytes + paddedBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(paddedBytes), true);
  file.fill(0x20, lengthBytes, lengthBytes + paddedBytes).set(json, lengthBytes);
  let at = lengthBytes + paddedBytes;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

const dtypeOrder = Object.keys(safeDtypes);

const dtypesOfArrays = { f32: "F32", i32: "I32", u32: "U32", bool: "I32" } as const;

/** An array as a file holds it. */
export function safeTensorOf(tensor: SafeTensor | NdArray): SafeTensor {
  const dtype = dtypesOfArrays[tensor.dtype as keyof typeof dtypesOfArrays] as SafeDtype | undefined;
  return dtype === undefined ? (tensor as SafeTensor) : ({ ...tensor, dtype } as SafeTensor);
}

function metadataField(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).toSorted(([a], [b]) => compareCodePoints(a, b));
  for (const [key, value] of pairs) {
    if (typeof value !== "string") {
      throw new Error(`safetensors: metadata ${quoteName(key)} must be a string, got ${typeof value}`);
    }
    if (/\p{Surrogate}/u.test(key + value)) {
      throw new Error(`safetensors: metadata ${quoteName(key)} is not valid Unicode`);
    }
  }
  return `"${metadataKey}":{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}

function checkTensor(name: string, { dtype, shape, data }: SafeTensor): void {
  const label = `safetensors: tensor ${quoteName(name)}`;
  if (name === metadataKey || /\p{Surrogate}/u.test(name)) throw new Error(`${label}: this name cannot be written`);
  if (!(data instanceof safeDtypes[dtype].array)) {
    throw new Error(`${label}: ${dtype} needs a ${safeDtypes[dtype].array.name}`);
  }
  const natural = shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  if (!natural || tensorBytes(dtype, shape) !== data.byteLength) {
    throw new Error(`${label}: ${dtype} of shape [${shape.join(",")}] does not fit ${data.byteLength} bytes`);
  }
}

/** The order of UTF-8 bytes; `<` on strings orders UTF-16 units, which differs above U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0) ?? 0);
  const right = Array.from(b, (character) => character.codePointAt(0) ?? 0);
  for (const [index, point] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (point !== other) return point - other;
  }
  return left.length - right.length;
}

/**
 * The values of a tensor as float32, rounded to nearest. F32 is returned as it is, without a copy.
 *
 * @throws Error for dtypes that are not plain numbers: C64 and those below 16 bits that no typed array knows.
 */
export function toFloat32(tensor: SafeTensor): Float32Array<ArrayBuffer> {
  switch (tensor.dtype) {
    case "F32":
      return tensor.data;
    case "F16":
      return decodeFloat16(tensor.data);
    case "BF16":
      return decodeBfloat16(tensor.data);
    case "I64":
    case "U64":
      return Float32Array.from(tensor.data, Number);
    case "F64":
    case "I32":
    case "U32":
    case "I16":
    case "U16":
    case "I8":
    case "U8":
    case "BOOL":
      return new Float32Array(tensor.data);
    default:
      throw new Error(`safetensors: cannot convert ${tensor.dtype} to float32`);
  }
}
