import { butItIs } from "../content-kind.ts";
import { quoteName, safeDtypes, tensorBytes } from "../safetensors/header.ts";
import type { SafeDtype } from "../safetensors/header.ts";
import type { SafeTensor } from "../safetensors/safetensors.ts";
import { PickleGlobal, readPickle } from "./pickle.ts";
import type { PickleValue } from "./pickle.ts";
import { readZip } from "./zip.ts";

/** The tensors and numbers of a file that `torch.save` wrote, by their keys joined with dots: `model.init_conv.weight`. */
export interface PytorchFile {
  readonly tensors: Map<string, SafeTensor>;
  readonly numbers: Map<string, number>;
}

/** PyTorch's storages by the dtype of a safetensors file. */
const storages: Readonly<Record<string, SafeDtype>> = {
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.DoubleStorage": "F64",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};

interface Storage {
  readonly dtype: SafeDtype;
  readonly data: Uint8Array;
}

/** A tensor as PyTorch keeps it: a part of a storage, seen with a shape and strides. */
class StridedTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Dictionaries inside of each other; a state of an optimizer has four levels. */
const MOST_LEVELS = 6;
const MOST_AXES = 64;
/** Tensors may share their storage, but hardly more than this in all. */
const MOST_PER_BYTE = 8;

/**
 * Reads a PyTorch file, `.pt`, `.pth`, `.bin` or `.ckpt`, of PyTorch 1.6 or newer. Tensors that lie in order are views of
 * `bytes`, others are copied into row-major order.
 *
 * @param source name of the file for messages
 * @throws Error of one line if it is something else, damaged, or asks for anything but tensors, dictionaries, lists,
 *   numbers and text
 */
export function parsePytorch(bytes: Uint8Array, source = "pytorch"): PytorchFile {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) throw notPytorch(bytes, source);
  const entries = readZip(bytes, source);
  const pickleName = [...entries.keys()].find((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  const pickle = pickleName === undefined ? undefined : entries.get(pickleName);
  if (pickleName === undefined || pickle === undefined) {
    throw new Error(`${source}: not a PyTorch file, but another zip archive: it has no data.pkl`);
  }
  const root = pickleName.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order !== undefined && new TextDecoder().decode(order) !== "little") {
    throw new Error(`${source}: must be little-endian, got ${new TextDecoder().decode(order.subarray(0, 20))}`);
  }
  const value = readPickle(
    pickle,
    source,
    handlersFor(source, (key) => entries.get(`${root}data/${key}`)),
  );
  const file: PytorchFile = { tensors: new Map(), numbers: new Map() };
  const limit = { bytes: bytes.length * MOST_PER_BYTE };
  if (!(value instanceof Map)) throw new Error(`${source}: must hold a dictionary of tensors, got ${kindOf(value)}`);
  const see = (name: string, found: StridedTensor | number): void => {
    if (typeof found === "number") file.numbers.set(name, found);
    else file.tensors.set(name, inOrder(found, `${source}: tensor ${quoteName(name)}`, limit));
  };
  let visited = 0;
  collect(value, "", 1, see, () => {
    if (++visited > MOST_ENTRIES) throw new Error(`${source}: more entries than any file has`);
  });
  return file;
}

function notPytorch(bytes: Uint8Array, source: string): Error {
  if (bytes[0] === 0x80 && bytes[2] === 0x8a && bytes[4] === 0x6c) {
    return new Error(`${source}: was saved by PyTorch of before 1.6: load it there and torch.save it again`);
  }
  return new Error(`${source}: not a PyTorch file${butItIs(bytes)}`);
}

function handlersFor(source: string, content: (key: string) => Uint8Array | undefined) {
  const fail = (problem: string): never => {
    throw new Error(`${source}: damaged PyTorch file: ${problem}`);
  };
  const known = new Map<string, Storage>();
  return {
    names: new Set(Object.keys(storages)),
    calls: {
      "collections.OrderedDict": (args: readonly PickleValue[]) => {
        return args.length === 0 ? new Map<PickleValue, PickleValue>() : fail("a dictionary made of something");
      },
      "torch._utils._rebuild_parameter": ([tensor]: readonly PickleValue[]) => tensor,
      "torch._utils._rebuild_tensor_v2": ([storage, offset, shape, strides]: readonly PickleValue[]) => {
        const isStorage = typeof storage === "object" && storage !== null && "dtype" in storage;
        if (!isStorage || !isCount(offset) || !isCounts(shape) || !isCounts(strides))
          return fail("a tensor of nothing");
        return new StridedTensor(storage as Storage, offset, shape, strides);
      },
    },
    persistent: (id: PickleValue): Storage => {
      const [kind, type, key] = Array.isArray(id) ? (id as PickleValue[]) : [];
      if (kind !== "storage" || !(type instanceof PickleGlobal) || typeof key !== "string") {
        return fail("a reference to something that is no storage");
      }
      const dtype = storages[type.name];
      const same = known.get(`${dtype} ${key}`);
      if (same) return same;
      const data = content(key) ?? fail(`no data/${key}`);
      const storage = { dtype, data };
      known.set(`${dtype} ${key}`, storage);
      return storage;
    },
  };
}

/** More than any file has in its dictionaries. */
const MOST_ENTRIES = 1_000_000;

/** Tensors and numbers of dictionaries inside dictionaries. Lists and what they hold are passed over. */
function collect(
  map: ReadonlyMap<PickleValue, PickleValue>,
  prefix: string,
  level: number,
  see: (name: string, value: StridedTensor | number) => void,
  count: () => void,
): void {
  for (const [key, value] of map) {
    count();
    if (typeof key !== "string" && typeof key !== "number") continue;
    const name = `${prefix}${key}`;
    if (value instanceof StridedTensor || typeof value === "number") see(name, value);
    else if (value instanceof Map && level < MOST_LEVELS) collect(value, `${name}.`, level + 1, see, count);
  }
}

/** The tensor in row-major order. */
function inOrder(
  { storage, offset, shape, strides }: StridedTensor,
  label: string,
  limit: { bytes: number },
): SafeTensor {
  const { dtype, data } = storage;
  const { array } = safeDtypes[dtype];
  const width = array.BYTES_PER_ELEMENT;
  const size = tensorBytes(dtype, shape);
  if (size === undefined || shape.length > MOST_AXES || shape.length !== strides.length) {
    throw new Error(`${label}: a shape that cannot be, [${shape.slice(0, 8).join(",")}]`);
  }
  const last = shape.reduce((place, length, axis) => place + (length - 1) * strides[axis], offset);
  if (size > 0 && (last + 1) * width > data.length) {
    throw new Error(`${label}: reaches to element ${last} of ${Math.floor(data.length / width)} in its storage`);
  }
  limit.bytes -= size;
  if (limit.bytes < 0) throw new Error(`${label}: the tensors are many times as large as the file`);
  const isOrdered = size === 0 || isRowMajor(shape, strides);
  const start = data.byteOffset + offset * width;
  const construct = array as new (buffer: ArrayBufferLike, offset: number, length: number) => SafeTensor["data"];
  const view = (from: Uint8Array, at: number, bytes: number): SafeTensor["data"] => {
    const isAligned = at % width === 0;
    const part = isAligned ? from : new Uint8Array(from.buffer, at, bytes).slice();
    return new construct(part.buffer, isAligned ? at : 0, bytes / width);
  };
  const values = isOrdered
    ? view(data, size === 0 ? data.byteOffset : start, size)
    : gather(view(data, data.byteOffset, data.length - (data.length % width)), offset, shape, strides);
  return { dtype, shape, data: values } as SafeTensor;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

function gather(
  values: SafeTensor["data"],
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): SafeTensor["data"] {
  const size = shape.reduce((product, length) => product * length, 1);
  const out = new (values.constructor as new (length: number) => SafeTensor["data"])(size);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < size; to++) {
    out[to] = values[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

function isCount(value: PickleValue): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: PickleValue): value is readonly number[] {
  return Array.isArray(value) && value.every(isCount);
}

function kindOf(value: PickleValue): string {
  if (value instanceof StridedTensor) return "a tensor";
  if (Array.isArray(value)) return "a list";
  return value === null ? "None" : `a ${typeof value}`;
}
