import { describe, expect, test } from "vitest";
import { tensorOf, valuesOf } from "../../test/support/reference.ts";
import { ndarray } from "./ndarray.ts";
import { Tensor, concatenate, full, iota, literal, scalar, valueOf } from "./tensor.ts";
import { Variable } from "./variable.ts";

const x = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);

describe("elementwise methods", () => {
  test("broadcast their operands as NumPy does", async () => {
    expect(await valuesOf(x.add(tensorOf([10, 20, 30])))).toEqual([11, 22, 33, 14, 25, 36]);
    expect(await valuesOf(x.multiply(tensorOf([2, 3], [2, 1])))).toEqual([2, 4, 6, 12, 15, 18]);
    const outer = tensorOf([1, 2], [2, 1]).subtract(tensorOf([1, 5]));
    expect(outer.shape).toEqual([2, 2]);
    expect(await valuesOf(outer)).toEqual([0, -4, 1, -3]);
    expect(full([0, 3], 1).add(x.slice(0, 0, 1)).shape).toEqual([0, 3]);
  });

  test("refuse shapes that do not broadcast", () => {
    expect(() => x.add(tensorOf([1, 2]))).toThrow("add: shapes [2,3] and [2] do not broadcast");
    expect(() => x.compare("lt", full([4, 3], 0))).toThrow("compare: shapes [2,3] and [4,3] do not broadcast");
  });

  test("give a number the dtype of the tensor", () => {
    expect(iota([3]).add(1).dtype).toBe("i32");
    expect(iota([3], 0, "u32").xor(1).dtype).toBe("u32");
    expect(x.compare("gt", 3).dtype).toBe("bool");
    expect(x.compare("gt", 3).select(iota([2, 3], 0), 7).dtype).toBe("i32");
  });

  test("refuse a fraction as an integer", () => {
    expect(() => iota([3]).multiply(0.5)).toThrow("scalar: i32 must be a whole number, got 0.5");
    expect(() => scalar(NaN, "u32")).toThrow("scalar: u32 must be a whole number, got NaN");
  });

  test("round and wrap constants as their dtype holds them", async () => {
    expect(await valuesOf(scalar(0.1))).toEqual([Math.fround(0.1)]);
    expect(await valuesOf(scalar(-1, "u32"))).toEqual([4294967295]);
    expect(await valuesOf(scalar(2 ** 31, "i32"))).toEqual([-(2 ** 31)]);
    expect(await valuesOf(scalar(5, "bool"))).toEqual([1]);
  });

  test("clamp and select pick what they say", async () => {
    expect(await valuesOf(x.clamp(2, 5))).toEqual([2, 2, 3, 4, 5, 5]);
    expect(await valuesOf(x.compare("ge", 4).select(x, -1))).toEqual([-1, -1, -1, 4, 5, 6]);
    expect(await valuesOf(x.compare("ge", 4).select(tensorOf([7, 8], [2, 1]), 0))).toEqual([0, 0, 0, 8, 8, 8]);
  });
});

describe("movement methods", () => {
  test("return the tensor itself where nothing moves", () => {
    expect(x.reshape([2, 3])).toBe(x);
    expect(x.transpose([0, 1])).toBe(x);
    expect(x.broadcastTo([2, 3])).toBe(x);
    expect(x.slice(0, 0, 2)).toBe(x);
    expect(x.convert("f32")).toBe(x);
    expect(x.reverse([])).toBe(x);
    expect(
      x.pad([
        [0, 0],
        [0, 0],
      ]),
    ).toBe(x);
    expect(concatenate([x], 0)).toBe(x);
  });

  test("reshape fills in one dimension", () => {
    expect(x.reshape([-1]).shape).toEqual([6]);
    expect(x.reshape([3, -1]).shape).toEqual([3, 2]);
    expect(() => x.reshape([4, -1])).toThrow("reshape: cannot fill [4,-1] with the 6 elements of [2,3]");
    expect(() => x.reshape([-1, -1])).toThrow("reshape: cannot fill [-1,-1] with the 6 elements of [2,3]");
    expect(() => full([0], 1).reshape([0, -1])).toThrow("reshape: cannot fill [0,-1] with the 0 elements of [0]");
  });

  test("transpose turns the axes around, or as told", async () => {
    expect(await valuesOf(x.transpose())).toEqual([1, 4, 2, 5, 3, 6]);
    expect(iota([2, 3, 4]).transpose([1, 2, 0]).shape).toEqual([3, 4, 2]);
  });

  test("slice and chunk count negative axes from the end", async () => {
    expect(await valuesOf(x.slice(-1, 0, 3, 2))).toEqual([1, 3, 4, 6]);
    const parts = x.chunk(3);
    expect(parts.map(({ shape }) => shape)).toEqual([
      [2, 1],
      [2, 1],
      [2, 1],
    ]);
    expect(await valuesOf(parts[2])).toEqual([3, 6]);
    expect(() => x.chunk(2)).toThrow("chunk: axis of 3 does not split into 2 equal parts");
    expect(() => x.slice(2, 0, 1)).toThrow("slice: axis must lie in [-2, 2), got 2");
  });

  test("pad puts a number around and crops where negative", async () => {
    expect(
      await valuesOf(
        x.pad(
          [
            [0, 1],
            [1, -1],
          ],
          9,
        ),
      ),
    ).toEqual([9, 1, 2, 9, 4, 5, 9, 9, 9]);
    expect(() => x.pad([[0, 0]])).toThrow("pad: low [0], high [0] do not fit [2,3]");
  });

  test("concatenate joins along an axis", async () => {
    expect(await valuesOf(concatenate([x, x.slice(1, 0, 1)], -1))).toEqual([1, 2, 3, 1, 4, 5, 6, 4]);
    expect(() => concatenate([], 0)).toThrow("concatenate: needs at least one tensor");
  });
});

describe("reductions", () => {
  test("run over all axes, or the given, and may keep them", async () => {
    expect(await valuesOf(x.sum())).toEqual([21]);
    expect(await valuesOf(x.max(0))).toEqual([4, 5, 6]);
    expect(await valuesOf(x.min(-1))).toEqual([1, 4]);
    expect(x.sum(1, true).shape).toEqual([2, 1]);
    expect(x.sum([0, -1], true).shape).toEqual([1, 1]);
    expect(x.sum([])).toBe(x);
    expect(await valuesOf(x.mean(1))).toEqual([2, 5]);
  });

  test("refuse axes that are not there or come twice, and means of integers", () => {
    expect(() => x.sum(2)).toThrow("sum: axis must lie in [-2, 2), got 2");
    expect(() => x.sum([0, -2])).toThrow("sum: axes must be distinct, got [0,0]");
    expect(() => iota([4]).mean()).toThrow("mean: operand must be f32, got i32");
  });
});

describe("matmul", () => {
  test("multiplies matrices and broadcasts leading axes", async () => {
    const y = tensorOf([1, 0, 0, 1, 1, 1], [3, 2]);
    expect(await valuesOf(x.matmul(y))).toEqual([4, 5, 10, 11]);
    expect(full([5, 1, 2, 3], 1).matmul(full([4, 3, 6], 1)).shape).toEqual([5, 4, 2, 6]);
  });

  test("refuses inner dimensions that differ", () => {
    expect(() => x.matmul(x)).toThrow("matmul: inner dimensions must agree, got [2,3] and [2,3]");
    expect(() => x.matmul(tensorOf([1, 2, 3]))).toThrow("matmul: inner dimensions must agree, got [2,3] and [3]");
  });
});

describe("leaves", () => {
  test("a variable has one leaf, whoever asks", () => {
    const v = new Variable("v", [2]);
    expect(valueOf(v)).toBe(valueOf(v));
  });

  test("iota counts along its axis", async () => {
    expect(await valuesOf(iota([2, 3], 0))).toEqual([0, 0, 0, 1, 1, 1]);
    expect(await valuesOf(iota([2, 3], -1, "f32"))).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("a literal needs as many values as its shape", () => {
    const short = { shape: [3], dtype: "f32", data: new Float32Array(2) } as const;
    expect(() => literal(short)).toThrow("literal: [3] has 3 elements, got 2");
  });

  test("an array needs as many values as its shape, and takes its dtype from them", () => {
    expect(() => ndarray([1, 2], [3])).toThrow("ndarray: shape [3] needs 3 values, got 2");
    expect(ndarray(Int32Array.of(1), [1]).dtype).toBe("i32");
    expect(ndarray(Uint32Array.of(1), [1]).dtype).toBe("u32");
    expect(ndarray([1.5], [1])).toEqual({ shape: [1], dtype: "f32", data: Float32Array.of(1.5) });
    expect(ndarray([1, 0], [2], "bool").data).toEqual(Int32Array.of(1, 0));
  });

  test("a tensor prints as a line", () => {
    const a = new Tensor({ kind: "constant", value: 1, dtype: "f32" });
    const b = a.negate();
    expect(b.toString()).toBe(`%${b.id} = negate(%${a.id}) : f32[]`);
  });
});
