import { allocate } from "../../../tensor/dtype.ts";
import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Graph } from "../../../tensor/graph.ts";
import { digestOf } from "../../common/kept/digest.ts";
import { structuralOrder, variablesOf } from "../../../tensor/graph.ts";
import { recordGraph } from "../../common/graph-record.ts";
import type { BufferPlace, CompiledProgram, PlacedBuffer, CodegenOptions } from "./compiled-program.ts";

/** Part of every key: programs of another layout are not found. */
const VERSION = 6;

/** A name for what a graph compiles to: equal for equal graphs, wherever and however old their variables are. */
export async function programKey(
  graph: Graph,
  { features, sharesMemory, keeps, strict = false }: CodegenOptions,
): Promise<string> {
  const variables = variablesOf(graph);
  const numbers = new Map(variables.map((variable, i) => [variable, i]));
  const literals: TypedArray[] = [];
  const types = variables.map(({ dtype, shape, isExchanged }) => ({ dtype, shape, isExchanged }));
  const record = recordGraph(graph, (variable) => numbers.get(variable) ?? -1, structuralOrder);
  const text = JSON.stringify(
    { VERSION, features, sharesMemory, keeps, strict, types, record },
    (_, value: unknown) => {
      if (value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint32Array)
        return `literal ${literals.push(value as TypedArray)}`;
      // JSON has one word for all of these.
      return typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? numberText(value) : value;
    },
  );
  const parts = [new TextEncoder().encode(text), ...literals.map(bytesOf)];
  return digestOf(joined(parts));
}

function numberText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The length of a header as a 32-bit word, the header as JSON, the module, and literals one after another. */
export function encodeProgram({ module, ...program }: CompiledProgram): Uint8Array<ArrayBuffer> {
  const literals = program.buffers.flatMap(({ place }) => (place.kind === "literal" ? [bytesOf(place.data)] : []));
  const buffers = program.buffers.map(({ dtype, length, place }) => ({
    dtype,
    length,
    place: place.kind === "literal" ? { kind: place.kind } : place,
  }));
  const header = new TextEncoder().encode(JSON.stringify({ ...program, buffers, moduleBytes: module.length }));
  return joined([bytesOf(Uint32Array.of(header.length)), header, module, ...literals]);
}

type Header = Omit<CompiledProgram, "module" | "buffers"> & {
  readonly moduleBytes: number;
  readonly buffers: readonly (Omit<PlacedBuffer, "place"> & {
    readonly place: Exclude<BufferPlace, { kind: "literal" }> | { readonly kind: "literal" };
  })[];
};

/** Gives back what was encoded; nothing if these bytes are no program. They are trusted to be what was written. */
export function decodeProgram(bytes: Uint8Array<ArrayBuffer>): CompiledProgram | undefined {
  try {
    let at = 0;
    const take = (length: number): Uint8Array<ArrayBuffer> => {
      if (at + length > bytes.length) throw new Error("internal: the program ends early");
      return bytes.slice(at, (at += length));
    };
    const [headerBytes] = new Uint32Array(take(4).buffer);
    const { moduleBytes, ...header } = JSON.parse(new TextDecoder().decode(take(headerBytes))) as Header;
    const module = take(moduleBytes);
    const buffers = header.buffers.map(({ dtype, length, place }): PlacedBuffer => {
      if (place.kind !== "literal") return { dtype, length, place };
      const data = allocate(dtype, length);
      bytesOf(data).set(take(data.byteLength));
      return { dtype, length, place: { kind: "literal", data } };
    });
    return { ...header, module, buffers };
  } catch {
    return undefined;
  }
}

function bytesOf(data: TypedArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
