import { describe, expect, test } from "vitest";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import type { Op } from "../../tensor/op.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Tensor, concatenate, iota, scatterAdd } from "../../tensor/tensor.ts";

/** The op on 0, 1, 2, ... */
const counted = (shape: Shape, op: Op): Promise<number[]> => {
  const size = shape.reduce((a, b) => a * b, 1);
  return valuesOf(new Tensor(op, [iota([size]).reshape(shape)]));
};

describe("movement", () => {
  test.for<[string, Shape, Op, number[]]>([
    [
      "broadcast_in_dim places axes and stretches those of length 1",
      [2, 1],
      { kind: "broadcast_in_dim", shape: [2, 2, 3], dimensions: [0, 2] },
      [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    ],
    [
      "transpose: output axis i is input axis permutation[i]",
      [2, 1, 3],
      { kind: "transpose", permutation: [2, 0, 1] },
      [0, 3, 1, 4, 2, 5],
    ],
    [
      "slice takes start, start + stride, ... below the limit",
      [3, 5],
      { kind: "slice", start: [1, 0], limit: [3, 5], strides: [1, 2] },
      [5, 7, 9, 10, 12, 14],
    ],
    [
      "pad puts values around and between",
      [3],
      { kind: "pad", low: [1], high: [2], interior: [1], value: 9 },
      [9, 0, 9, 1, 9, 2, 9, 9],
    ],
    [
      "pad with negative amounts crops",
      [2, 4],
      { kind: "pad", low: [0, -1], high: [1, -2], interior: [0, 0], value: 9 },
      [1, 5, 9],
    ],
    [
      "pad crops what interior padding has spread",
      [4],
      { kind: "pad", low: [-1], high: [-4], interior: [2], value: 9 },
      [9, 9, 1, 9, 9],
    ],
    ["pad of nothing is its value", [0], { kind: "pad", low: [2], high: [1], interior: [3], value: 9 }, [9, 9, 9]],
    ["reverse turns its axes", [2, 3], { kind: "reverse", axes: [1] }, [2, 1, 0, 5, 4, 3]],
    ["reshape keeps the order", [2, 3], { kind: "reshape", shape: [3, 2] }, [0, 1, 2, 3, 4, 5]],
  ])("%s", async ([, shape, op, expected]) => {
    expect(await counted(shape, op)).toEqual(expected);
  });

  test("concatenate joins along its axis, also nothing", async () => {
    const a = iota([2, 2]).reshape([2, 2]);
    const parts = [iota([4]).reshape([2, 2]), a.slice(1, 0, 0), iota([2]).add(7).reshape([2, 1])];
    expect(await valuesOf(concatenate(parts, 1))).toEqual([0, 1, 7, 2, 3, 8]);
  });
});

describe("rows of a table", () => {
  const table = tensorOf([0, 1, 10, 11, 20, 21], [3, 2]);

  test("gather clamps its indices", async () => {
    const indices = tensorOf([2, -5, 7, 1], [2, 2], "i32");
    expect(await valuesOf(table.gather(indices))).toEqual([20, 21, 0, 1, 20, 21, 10, 11]);
    expect(await valuesOf(table.gather(tensorOf([4294967295], [1], "u32")))).toEqual([20, 21]);
  });

  test("scatter_add sums up rows and drops those outside", async () => {
    const indices = tensorOf([1, -1, 1, 3, 0], [5], "i32");
    const updates = tensorOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 2]);
    expect(await valuesOf(scatterAdd(indices, updates, 3))).toEqual([9, 10, 6, 8, 0, 0]);
  });

  test("scatter_add wraps integers", async () => {
    const updates = tensorOf([4294967295, 3], [2], "u32");
    expect(await valuesOf(scatterAdd(tensorOf([0, 0], [2], "i32"), updates, 1))).toEqual([2]);
  });
});
