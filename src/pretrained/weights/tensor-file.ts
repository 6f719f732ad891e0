import { KIND_BYTES } from "../../io/content-kind.ts";
import { parsePytorch } from "../../io/pytorch/state-dict.ts";
import { headerBytes, lengthBytes, parseHeader } from "../../io/safetensors/header.ts";
import { tensorOf } from "../../io/safetensors/safetensors.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import type { SourceFile } from "../source/source.ts";
import type { TensorInfo } from "./parameters.ts";
import type { WeightsFile } from "./file-names.ts";

/** The tensors of a file: first what they are, then each when it is asked for, in the order of their data. */
export interface TensorFile {
  readonly tensors: readonly TensorInfo[];
  read(): AsyncIterable<readonly [name: string, tensor: SafeTensor]>;
}

/** @throws Error of one line naming the file if it is not of its format */
export async function openTensors(file: SourceFile, format: WeightsFile["format"]): Promise<TensorFile> {
  return format === "safetensors" ? openSafetensors(file) : openPytorch(file);
}

/** Reads one tensor after the other, so that no more of the file is in memory. */
async function openSafetensors(file: SourceFile): Promise<TensorFile> {
  const start = await file.read(0, Math.min(KIND_BYTES, file.bytes));
  const headerEnd = lengthBytes + headerBytes(start, file.bytes, file.name);
  const header = headerEnd <= start.length ? start : joined(start, await file.read(start.length, headerEnd));
  const { tensors, dataStart } = parseHeader(header, file.bytes, file.name);
  /** Of a small file, data came with the header. */
  const bytesOf = async (begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> => {
    const known = header.slice(begin, end);
    return known.length === end - begin ? known : joined(known, await file.read(begin + known.length, end));
  };
  return {
    tensors,
    async *read() {
      for (const layout of tensors) {
        const bytes = await bytesOf(dataStart + layout.begin, dataStart + layout.end);
        yield [layout.name, tensorOf(bytes, layout)] as const;
      }
    },
  };
}

/** A zip archive says at its end what is in it, so all of it is read. */
async function openPytorch(file: SourceFile): Promise<TensorFile> {
  const { tensors } = parsePytorch(await file.read(0, file.bytes), file.name);
  return {
    tensors: Array.from(tensors, ([name, { dtype, shape }]) => ({ name, dtype, shape })),
    async *read() {
      yield* tensors;
    },
  };
}

function joined(first: Uint8Array<ArrayBuffer>, second: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
