import { describe, expect, test } from "vitest";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { full, valueOf } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { compile } from "./compile.ts";
import { ReferenceBackend } from "./reference/backend.ts";

const backend = ReferenceBackend.create();

/** A doubling program that counts how often it is traced. */
function doubling() {
  const traced: string[] = [];
  const double = compile(backend, ({ x }) => {
    traced.push(`${x.dtype}[${x.shape.join(",")}]`);
    return { outputs: { doubled: x.multiply(2), sum: x.sum() } };
  });
  return { double, traced };
}

describe("compile", () => {
  test("returns results by name", async () => {
    const { doubled, sum } = await doubling().double({ x: ndarray([1, 2, 3], [3]) });
    expect(doubled).toEqual({ shape: [3], dtype: "f32", data: Float32Array.of(2, 4, 6) });
    expect(sum).toEqual({ shape: [], dtype: "f32", data: Float32Array.of(6) });
  });

  test("traces once per shapes and dtypes of the inputs, also when called at once", async () => {
    const { double, traced } = doubling();
    await Promise.all([
      double({ x: ndarray([1], [1]) }),
      double({ x: ndarray([2], [1]) }),
      double({ x: ndarray([1, 2], [2]) }),
    ]);
    await double({ x: ndarray([3], [1]) });
    await double({ x: ndarray([3], [1], "i32") });
    expect(traced).toEqual(["f32[1]", "f32[2]", "i32[1]"]);
  });

  test("prepares a program without running it", async () => {
    const v = new Variable("v", [1]);
    const count = compile(backend, () => ({ outputs: {}, updates: [{ variable: v, value: valueOf(v).add(1) }] }));
    const executable = await count.prepare();
    expect(executable.workspaceBytes).toBeGreaterThan(0);
    expect(await v.read()).toEqual(Float32Array.of(0));
    await count();
    expect(await v.read()).toEqual(Float32Array.of(1));
  });

  test("hands on what tracing throws, and traces anew at the next call", async () => {
    let attempts = 0;
    const failing = compile(backend, ({ x }) => {
      attempts++;
      return { outputs: { y: x.add(full([7], 1)) } };
    });
    const x = ndarray([1, 2], [2]);
    await expect(failing({ x })).rejects.toThrow("add: shapes [2] and [7] do not broadcast");
    await expect(failing({ x })).rejects.toThrow("add: shapes [2] and [7] do not broadcast");
    expect(attempts).toBe(2);
  });

  test("refuses an update of another shape or dtype than its variable's", async () => {
    const v = new Variable("weights", [2, 3]);
    const wrong = compile(backend, () => ({ outputs: {}, updates: [{ variable: v, value: full([3, 2], 0) }] }));
    await expect(wrong()).rejects.toThrow("variable weights is f32[2,3], its update f32[3,2]");
  });

  test("takes inputs by name, in whatever order", async () => {
    const traced: string[][] = [];
    const subtract = compile(backend, ({ b, a }) => {
      traced.push([String(a.shape), String(b.shape)]);
      return { outputs: { difference: a.subtract(b) } };
    });
    const [a, b] = [ndarray([5, 7], [2]), ndarray([1], [1])];
    expect((await subtract({ a, b })).difference.data).toEqual(Float32Array.of(4, 6));
    expect((await subtract({ b, a })).difference.data).toEqual(Float32Array.of(4, 6));
    expect(traced).toEqual([["2", "1"]]);
  });

  test("traces anew for other names, which the function may ask for", async () => {
    const sum = compile(backend, ({ first, ...others }) => ({
      outputs: { sum: Object.keys(others).reduce((sum, name) => sum.add(others[name]), first) },
    }));
    const one = ndarray([1], []);
    expect((await sum({ first: one })).sum.data[0]).toBe(1);
    expect((await sum({ first: one, second: one, third: one })).sum.data[0]).toBe(3);
    expect((await sum({ first: one, fourth: undefined as unknown as NdArray })).sum.data[0]).toBe(1);
  });

  test("refuses in one line what is no set of named arrays, before it runs", async () => {
    const add = compile(backend, ({ x, y }) => ({ outputs: { sum: x.add(y) } }));
    const x = ndarray([1, 2], [2]);
    const unread = "compile: the function reads input y, which is not given; given: X, x";
    await expect(add({ x, X: x })).rejects.toThrow(unread);
    await expect(add()).rejects.toThrow("compile: the function reads input x, which is not given; given: none");
    const given = (inputs: unknown) => add(inputs as Record<string, NdArray>);
    await expect(given(x)).rejects.toThrow("compile: inputs are given by name, as { x: array }");
    await expect(given({ x, y: [1, 2] })).rejects.toThrow(
      "compile: input y must be an NdArray, as of ndarray([1, 2], [2])",
    );
    await expect(given({ x, y: null })).rejects.toThrow(
      "compile: input y must be an NdArray, as of ndarray([1, 2], [2])",
    );
    const short = { ...x, data: Float32Array.of(1) };
    await expect(add({ x, y: short })).rejects.toThrow(
      "compile: input y needs Float32Array of 2, got Float32Array of 1",
    );
  });

  test("frees its programs when it is disposed of", async () => {
    const { double } = doubling();
    const executable = await double.prepare({ x: ndarray([1], [1]) });
    double.dispose();
    await new Promise((resolve) => setTimeout(resolve));
    await expect(executable.run([ndarray([1], [1])])).rejects.toThrow("run: the program was disposed of");
  });
});
