import { describe, expect, test } from "vitest";
import { ndarray } from "../../../tensor/ndarray.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { concatenate } from "../../../tensor/tensor.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { compile } from "../../compile.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";

/** The first program of a backend, whose buffers lie as low in memory as any. */
async function firstResult(x: NdArray, build: (x: Tensor) => Tensor): Promise<Float32Array> {
  const backend = await createWasmBackend({ threads: 1 });
  const { y } = await compile(backend, (inputs: { readonly x: Tensor }) => ({ outputs: { y: build(inputs.x) } }))({
    x,
  });
  await backend.close();
  return y.data as Float32Array;
}

const counting = (...shape: number[]): NdArray =>
  ndarray(
    Float32Array.from({ length: shape.reduce((product, n) => product * n, 1) }, (_, i) => i),
    shape,
  );

const blocks = (rows: number, columns: number, order: readonly number[]): number[] =>
  order.flatMap((block) => Array.from({ length: rows * columns }, (_, i) => block * rows * columns + i));

describe("addresses that count from before a buffer's start are right at the start of memory:", () => {
  test("a concatenation of a tensor with itself", async () => {
    const y = await firstResult(counting(16, 32), (x) => concatenate([x, x], 0));
    expect([...y]).toEqual(blocks(16, 32, [0, 0]));
  });

  test("one of parts that lie further apart than any memory is kept free", async () => {
    const y = await firstResult(counting(1024, 640), (x) =>
      concatenate([x.slice(0, 768, 1024), x.slice(0, 0, 256)], 0),
    );
    const expected = Float32Array.from(blocks(256, 640, [3, 0]));
    expect(Buffer.compare(Buffer.from(y.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  test("a difference of neighbours that are far apart", async () => {
    const n = 700_000;
    const y = await firstResult(counting(n), (x) => x.pad([[300_000, -300_000]]).add(x.pad([[-300_000, 300_000]])));
    const at = (i: number): number => (i >= 0 && i < n ? i : 0);
    const wrong = y.findIndex((value, i) => value !== Math.fround(at(i - 300_000) + at(i + 300_000)));
    expect(wrong).toBe(-1);
  });
});
