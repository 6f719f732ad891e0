import { describe, expect, test } from "vitest";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Comparison, UnaryKind } from "../../tensor/op.ts";
import { Tensor } from "../../tensor/tensor.ts";

const f32 = Math.fround;
const MAX = 3.4028234663852886e38;
const unary = (kind: UnaryKind, values: readonly number[]) => valuesOf(new Tensor({ kind }, [tensorOf(values)]));

describe("unary ops", () => {
  test.for<[UnaryKind, number[], number[]]>([
    ["negate", [1, -2, 0, Infinity], [-1, 2, -0, -Infinity]],
    ["exponential", [0, 1, -Infinity, 89, -104], [1, f32(Math.E), 0, Infinity, 0]],
    ["log", [1, 0, -1, Infinity], [0, -Infinity, NaN, Infinity]],
    ["sqrt", [4, 2, -1, 0], [2, f32(Math.SQRT2), NaN, 0]],
    ["rsqrt", [4, 0.25, 0, Infinity], [0.5, 2, Infinity, 0]],
    ["tanh", [0, Infinity, -Infinity, 0.5], [0, 1, -1, f32(0.4621171572600097)]],
    ["logistic", [0, Infinity, -Infinity, Math.log(3)], [0.5, 1, 0, 0.75]],
    ["erf", [0, 1, -Infinity], [0, f32(0.8427007929497149), -1]],
    ["sine", [0, f32(Math.PI / 2), Infinity], [0, 1, NaN]],
    ["cosine", [0, f32(Math.PI)], [1, -1]],
    ["abs", [-3, 3, -Infinity], [3, 3, Infinity]],
    ["sign", [-3, 0, 5, NaN], [-1, 0, 1, NaN]],
    ["floor", [1.5, -1.5, -0.1, 2], [1, -2, -1, 2]],
    ["stop_gradient", [1, -2], [1, -2]],
  ])("%s", async ([kind, values, expected]) => {
    expect(await unary(kind, values)).toEqual(expected);
  });

  test("pass NaN on", async () => {
    const kinds: UnaryKind[] = [
      "negate",
      "exponential",
      "log",
      "sqrt",
      "tanh",
      "logistic",
      "erf",
      "sine",
      "abs",
      "floor",
    ];
    for (const kind of kinds) expect(await unary(kind, [NaN])).toEqual([NaN]);
  });
});

describe("binary ops", () => {
  test("round to f32 once", async () => {
    expect(await valuesOf(tensorOf([0.1]).add(0.2))).toEqual([f32(f32(0.1) + f32(0.2))]);
    expect(await valuesOf(tensorOf([1]).divide(3))).toEqual([f32(1 / 3)]);
    expect(await valuesOf(tensorOf([16777216]).add(1))).toEqual([16777216]);
    expect(await valuesOf(tensorOf([MAX]).multiply(2))).toEqual([Infinity]);
  });

  test("let NaN win in maximum and minimum", async () => {
    const a = tensorOf([NaN, 1, NaN, 2]);
    const b = tensorOf([1, NaN, NaN, 3]);
    expect(await valuesOf(a.maximum(b))).toEqual([NaN, NaN, NaN, 3]);
    expect(await valuesOf(a.minimum(b))).toEqual([NaN, NaN, NaN, 2]);
  });

  test("power follows IEEE 754", async () => {
    const a = tensorOf([2, 0, 0, -2, -2, 1, -1, NaN, 4]);
    const b = tensorOf([10, 0, -1, 3, 0.5, NaN, Infinity, 0, -0.5]);
    expect(await valuesOf(a.power(b))).toEqual([1024, 1, Infinity, -8, NaN, 1, 1, 1, 0.5]);
  });

  test("wrap integers", async () => {
    const i = tensorOf([2147483647, -2147483648, 65537], [3], "i32");
    expect(await valuesOf(i.add(1))).toEqual([-2147483648, -2147483647, 65538]);
    expect(await valuesOf(i.multiply(i))).toEqual([1, 0, 131073]);
    expect(await valuesOf(i.negate())).toEqual([-2147483647, -2147483648, -65537]);
    const u = tensorOf([0, 4294967295], [2], "u32");
    expect(await valuesOf(u.subtract(1))).toEqual([4294967295, 4294967294]);
    expect(await valuesOf(u.multiply(u))).toEqual([0, 1]);
    expect(await valuesOf(u.maximum(5))).toEqual([5, 4294967295]);
  });

  test("work on bits of integers and on bools", async () => {
    const u = tensorOf([0xf0f0f0f0, 1], [2], "u32");
    expect(await valuesOf(u.and(0xff))).toEqual([0xf0, 1]);
    expect(await valuesOf(u.or(0x0f))).toEqual([0xf0f0f0ff, 0x0f]);
    expect(await valuesOf(u.xor(0xffffffff))).toEqual([0x0f0f0f0f, 0xfffffffe]);
    expect(await valuesOf(u.shiftLeft(4))).toEqual([0x0f0f0f00, 16]);
    expect(await valuesOf(u.shiftRight(31))).toEqual([1, 0]);
    const flags = tensorOf([1, 1, 0, 0], [4], "bool");
    expect(await valuesOf(flags.xor(tensorOf([1, 0, 1, 0], [4], "bool")))).toEqual([0, 1, 1, 0]);
  });
});

describe("compare", () => {
  test.for<[Comparison, number[]]>([
    ["eq", [0, 1, 0, 0, 1]],
    ["ne", [1, 0, 1, 1, 0]],
    ["lt", [1, 0, 0, 0, 0]],
    ["le", [1, 1, 0, 0, 1]],
    ["gt", [0, 0, 1, 0, 0]],
    ["ge", [0, 1, 1, 0, 1]],
  ])("%s, where NaN is unequal to all and zeros are equal", async ([direction, expected]) => {
    const a = tensorOf([1, 2, 3, NaN, -0]);
    expect(await valuesOf(a.compare(direction, tensorOf([2, 2, 2, NaN, 0])))).toEqual(expected);
  });

  test("takes u32 as positive and i32 as signed", async () => {
    expect(await valuesOf(tensorOf([4294967295], [1], "u32").compare("gt", 1))).toEqual([1]);
    expect(await valuesOf(tensorOf([-1], [1], "i32").compare("gt", 1))).toEqual([0]);
  });
});

describe("convert", () => {
  const values = [0, -0.9, 1.9, -1.9, 3e9, -3e9, 1e20, -1e20, NaN, Infinity, -Infinity];
  test.for<[DType, number[]]>([
    ["i32", [0, 0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 1, -(2 ** 31), 0, 2 ** 31 - 1, -(2 ** 31)]],
    ["u32", [0, 0, 1, 0, 3e9, 0, 2 ** 32 - 1, 0, 0, 2 ** 32 - 1, 0]],
    ["bool", [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ])("floats to %s truncates and saturates", async ([dtype, expected]) => {
    expect(await valuesOf(tensorOf(values).convert(dtype))).toEqual(expected);
  });

  test("between integers keeps the bits, and to floats rounds", async () => {
    expect(await valuesOf(tensorOf([-1, 5], [2], "i32").convert("u32"))).toEqual([4294967295, 5]);
    expect(await valuesOf(tensorOf([4294967295], [1], "u32").convert("i32"))).toEqual([-1]);
    expect(await valuesOf(tensorOf([16777217, -16777217], [2], "i32").convert("f32"))).toEqual([16777216, -16777216]);
    expect(await valuesOf(tensorOf([4294967295], [1], "u32").convert("f32"))).toEqual([4294967296]);
    expect(await valuesOf(tensorOf([1, 0], [2], "bool").convert("f32"))).toEqual([1, 0]);
  });
});

describe("clamp and select", () => {
  test("clamp passes NaN on and takes the high limit where limits cross", async () => {
    expect(await valuesOf(tensorOf([NaN, -5, 5, 0]).clamp(-1, 1))).toEqual([NaN, -1, 1, 0]);
    const clamp = (low: number, x: number, high: number) =>
      valuesOf(new Tensor({ kind: "clamp" }, [tensorOf([low]), tensorOf([x]), tensorOf([high])]));
    expect(await clamp(3, 0, 1)).toEqual([1]);
  });

  test("select ignores what it does not pick", async () => {
    const condition = tensorOf([1, 0], [2], "bool");
    expect(await valuesOf(condition.select(tensorOf([1, NaN]), tensorOf([NaN, 2])))).toEqual([1, 2]);
  });
});
