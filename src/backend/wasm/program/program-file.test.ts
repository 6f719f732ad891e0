import { afterEach, describe, expect, test } from "vitest";
import type { Graph } from "../../../tensor/graph.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import { Tensor, full, literal, valueOf } from "../../../tensor/tensor.ts";
import { Variable } from "../../../tensor/variable.ts";
import type { ByteCache } from "../../backend.ts";
import { compileProgram } from "./compiled-program.ts";
import type { CodegenOptions } from "./compiled-program.ts";
import { decodeProgram, encodeProgram, programKey } from "./program-file.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";
import type { WasmBackend } from "../wasm-backend.ts";

const target: CodegenOptions = { features: { wide: false, relaxed: false }, sharesMemory: true };

/** y = x table + constant, and a variable that grows by y. */
function graphWith({ constant = 1, table = [1, 2, 3, 4], start = [0, 0, 0, 0] } = {}): Graph {
  const x = new Tensor({ kind: "input", index: 0, shape: [4], dtype: "f32" });
  const variable = new Variable("total", [4], { data: Float32Array.from(start) });
  const y = x.multiply(literal(ndarray(table, [4]))).add(full([], constant));
  return { inputs: [x], outputs: [y], updates: [{ variable, value: valueOf(variable).add(y) }] };
}

function quotientOf(above: Variable, below: Variable): Graph {
  return { inputs: [], outputs: [valueOf(above).divide(valueOf(below))], updates: [] };
}

describe("the key of a program", () => {
  const keyOf = (graph: Graph): Promise<string> => programKey(graph, target);

  test("is equal for equal graphs, whatever their variables hold", async () => {
    expect(await keyOf(graphWith())).toBe(await keyOf(graphWith({ start: [5, 6, 7, 8] })));
  });

  test("is equal for equal graphs, whichever of their variables a program named before", async () => {
    const [first, second] = [new Variable("a", [4]), new Variable("b", [4])];
    const key = await keyOf(quotientOf(first, second));
    expect(await keyOf(quotientOf(second, first))).toBe(key);
    const small = new Variable("c", [1]);
    expect(await keyOf(quotientOf(first, small))).not.toBe(await keyOf(quotientOf(small, first)));
  });

  test("tells constants, literals and targets apart", async () => {
    const constants = [1, 0, -0, Infinity, -Infinity, NaN].map((constant) => keyOf(graphWith({ constant })));
    const others = [
      keyOf(graphWith({ table: [1, 2, 3, 5] })),
      programKey(graphWith(), { ...target, sharesMemory: false }),
      programKey(graphWith(), { ...target, features: { wide: true, relaxed: false } }),
    ];
    const keys = await Promise.all([...constants, ...others]);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("an encoded program", () => {
  test("is decoded as it was", async () => {
    const program = compileProgram(graphWith(), target);
    expect(decodeProgram(encodeProgram(program))).toEqual(program);
  });

  test("is nothing when it is cut off", async () => {
    const bytes = encodeProgram(compileProgram(graphWith(), target));
    for (const length of [0, 3, 40, bytes.length - 1]) expect(decodeProgram(bytes.slice(0, length))).toBeUndefined();
  });
});

describe("a backend with a cache", () => {
  const backends: WasmBackend[] = [];
  afterEach(async () => {
    for (const backend of backends.splice(0)) await backend.close();
  });

  /** Runs the graph twice on a backend of its own; gives the output of the second run and the variable's value. */
  async function results(cache: ByteCache): Promise<number[][]> {
    const backend = await createWasmBackend({ threads: 1, cache });
    backends.push(backend);
    const graph = graphWith({ start: [10, 20, 30, 40] });
    const executable = await backend.load(graph);
    await executable.run([ndarray([1, 1, 1, 1], [4])]);
    const [y] = await executable.run([ndarray([1, 2, 3, 4], [4])]);
    return [[...y.data], [...(await graph.updates[0].variable.read())]];
  }

  const expected = [
    [2, 5, 10, 17],
    [14, 28, 44, 62],
  ];

  function memoryCache() {
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    const writes: string[] = [];
    const cache: ByteCache = {
      read: async (name) => files.get(name),
      write: async (name, bytes) => {
        writes.push(name);
        files.set(name, bytes);
      },
    };
    return { cache, writes };
  }

  test("runs what another one compiled", async () => {
    const { cache, writes } = memoryCache();
    expect(await results(cache)).toEqual(expected);
    expect(await results(cache)).toEqual(expected);
    expect(writes).toHaveLength(1);
  });

  test("runs it for variables that were named in another order before", async () => {
    const { cache, writes } = memoryCache();
    const backend = await createWasmBackend({ threads: 1, cache });
    backends.push(backend);
    const [three, four] = [3, 4].map((value) => new Variable(String(value), [1], { data: Float32Array.of(value) }));
    for (const [graph, expected] of [
      [quotientOf(three, four), 0.75],
      [quotientOf(four, three), Math.fround(4 / 3)],
    ] as const) {
      const [quotient] = await (await backend.load(graph)).run([]);
      expect([...quotient.data]).toEqual([expected]);
    }
    expect(writes).toHaveLength(1);
  });

  test("compiles where the cache holds something else", async () => {
    const cache: ByteCache = { read: async () => Uint8Array.of(1, 2, 3, 4, 5), write: async () => undefined };
    expect(await results(cache)).toEqual(expected);
  });
});
