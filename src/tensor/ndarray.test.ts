import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { concatenateArrays, ndarray, sliceArray } from "./ndarray.ts";
import { scalar } from "./tensor.ts";

const counted = (shape: readonly number[]) =>
  ndarray(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );

describe("an array on the host", () => {
  test("is sliced along any axis, from either end", () => {
    const array = counted([2, 3, 2]);
    expect(sliceArray(array, 0, 1)).toEqual(ndarray([6, 7, 8, 9, 10, 11], [1, 3, 2]));
    expect(sliceArray(array, 1, 1, 3)).toEqual(ndarray([2, 3, 4, 5, 8, 9, 10, 11], [2, 2, 2]));
    expect(sliceArray(array, -1, -1)).toEqual(ndarray([1, 3, 5, 7, 9, 11], [2, 3, 1]));
    expect(sliceArray(array, 0, 0, 0).data).toHaveLength(0);
    expect(() => sliceArray(array, 1, 2, 4)).toThrow("sliceArray: 2 to 4 must be within axis 1 of [2,3,2]");
    expect(() => sliceArray(array, 0, -3)).toThrow("sliceArray: -3 to Infinity must be within axis 0 of [2,3,2]");
  });

  test("is put together again along any axis", () => {
    const array = counted([2, 3, 2]);
    for (const axis of [0, 1, 2, -1]) {
      const middle = array.shape.at(axis) ?? 0;
      const parts = [sliceArray(array, axis, 0, 1), sliceArray(array, axis, 1, middle)];
      expect(concatenateArrays(parts, axis)).toEqual(array);
    }
    expect(concatenateArrays([ndarray(Int32Array.of(1), [1]), ndarray(Int32Array.of(2, 3), [2])]).data).toEqual(
      Int32Array.of(1, 2, 3),
    );
    expect(() => concatenateArrays([array, counted([2, 2, 2])])).toThrow(
      "concatenateArrays: all must agree but for axis 0, got f32 [2,3,2] and f32 [2,2,2]",
    );
    expect(() => concatenateArrays([])).toThrow("needs at least one array");
  });

  test("prints its type, its shape and its values", () => {
    expect(inspect(ndarray([1, 0.1, -2.5e-7], [3]))).toBe("f32 [3] [1, 0.1, -2.5e-7]");
    expect(inspect(ndarray(Int32Array.of(1, 2, 3, 4), [2, 2]))).toBe("i32 [2,2]\n[[1, 2],\n [3, 4]]");
    expect(inspect(ndarray([7], []))).toBe("f32 [] 7");
    expect(inspect(ndarray([], [0]))).toBe("f32 [0] []");
  });

  test("prints the ends of what is long", () => {
    expect(inspect(counted([2000]))).toBe("f32 [2000] [0, 1, 2, ..., 1997, 1998, 1999]");
    expect(inspect(counted([100, 100])).split("\n")).toHaveLength(8);
  });
});

test("a tensor prints what it is, not all that it is made of", () => {
  const x = scalar(1).add(2);
  expect(inspect(x)).toMatch(/^%\d+ = add\(%\d+, %\d+\) : f32\[\]$/);
  expect(inspect(x)).toBe(String(x));
});
