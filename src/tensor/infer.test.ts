import { describe, expect, test } from "vitest";
import { infer } from "./infer.ts";
import type { TensorType } from "./infer.ts";
import type { ConvolutionWindow, Op } from "./op.ts";
import type { Shape } from "./shape.ts";

const f32 = (...shape: number[]): TensorType => ({ shape, dtype: "f32" });
const i32 = (...shape: number[]): TensorType => ({ shape, dtype: "i32" });
const u32 = (...shape: number[]): TensorType => ({ shape, dtype: "u32" });
const bool = (...shape: number[]): TensorType => ({ shape, dtype: "bool" });

const plain: ConvolutionWindow = {
  strides: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
};
const dotAxes = { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [0] };

describe("an op's shape and dtype", () => {
  test.for<[string, Op, TensorType[], TensorType]>([
    ["add keeps its operands'", { kind: "add" }, [i32(2, 3), i32(2, 3)], i32(2, 3)],
    ["compare is bool", { kind: "compare", direction: "lt" }, [f32(4), f32(4)], bool(4)],
    ["select has its values'", { kind: "select" }, [bool(4), u32(4), u32(4)], u32(4)],
    ["convert has the new dtype", { kind: "convert", dtype: "f32" }, [bool(4)], f32(4)],
    [
      "broadcast_in_dim has the given shape",
      { kind: "broadcast_in_dim", shape: [2, 3, 4], dimensions: [0, 2] },
      [i32(1, 4)],
      i32(2, 3, 4),
    ],
    [
      "transpose takes axes in the order given",
      { kind: "transpose", permutation: [2, 0, 1] },
      [f32(2, 3, 4)],
      f32(4, 2, 3),
    ],
    [
      "slice counts the elements that steps reach",
      { kind: "slice", start: [1, 0], limit: [8, 5], strides: [3, 2] },
      [f32(9, 5)],
      f32(3, 3),
    ],
    [
      "pad adds low, high and interior",
      { kind: "pad", low: [1, -1], high: [2, 0], interior: [0, 2], value: 0 },
      [f32(3, 4)],
      f32(6, 9),
    ],
    ["concatenate adds up one axis", { kind: "concatenate", axis: 1 }, [f32(2, 3), f32(2, 0), f32(2, 4)], f32(2, 7)],
    ["gather puts the indices' axes first", { kind: "gather" }, [f32(9, 4, 5), i32(2, 3)], f32(2, 3, 4, 5)],
    ["scatter_add puts the rows first", { kind: "scatter_add", rows: 9 }, [u32(2, 3), f32(2, 3, 4)], f32(9, 4)],
    ["reduce drops its axes", { kind: "reduce", reduction: "max", axes: [0, 2] }, [i32(2, 3, 4)], i32(3)],
    [
      "dot_general puts batch, then free axes",
      { kind: "dot_general", lhsBatch: [2], rhsBatch: [0], lhsContract: [0], rhsContract: [2] },
      [f32(7, 3, 5), f32(5, 4, 7)],
      f32(5, 3, 4),
    ],
    [
      "convolution of NHWC with HWIO is NHWC",
      { kind: "convolution", ...plain },
      [f32(2, 8, 9, 3), f32(3, 2, 3, 5)],
      f32(2, 6, 8, 5),
    ],
    [
      "convolution counts strides, padding and dilations",
      {
        kind: "convolution",
        strides: [2, 3],
        padding: [
          [1, 2],
          [-1, 0],
        ],
        lhsDilation: [2, 1],
        rhsDilation: [1, 2],
      },
      [f32(1, 5, 12, 1), f32(3, 2, 1, 1)],
      // height: (9 + 3 - 3) / 2 + 1, width: (12 - 1 - 3) / 3 + 1, rounded down
      f32(1, 5, 3, 1),
    ],
    [
      "a kernel larger than the image leaves nothing",
      { kind: "convolution", ...plain },
      [f32(1, 2, 2, 1), f32(3, 3, 1, 1)],
      f32(1, 0, 0, 1),
    ],
    [
      "convolution_filter_gradient has the filter's shape",
      { kind: "convolution_filter_gradient", kernel: [3, 2], ...plain },
      [f32(2, 8, 9, 3), f32(2, 6, 8, 5)],
      f32(3, 2, 3, 5),
    ],
    [
      "convolution_filter_gradient in parts has one filter per part",
      { kind: "convolution_filter_gradient", kernel: [3, 2], parts: 2, ...plain },
      [f32(4, 8, 9, 3), f32(4, 6, 8, 5)],
      f32(2, 3, 2, 3, 5),
    ],
  ])("%s", ([, op, inputs, expected]) => {
    expect(infer(op, inputs)).toMatchObject(expected);
  });
});

const slice = (start: number, limit: number, stride: number): Op => ({
  kind: "slice",
  start: [start],
  limit: [limit],
  strides: [stride],
});
const pad = (low: number[], high: number[], interior: number[]): Op => ({ kind: "pad", low, high, interior, value: 0 });
const reshape = (...shape: number[]): Op => ({ kind: "reshape", shape });
const placed = (shape: Shape, dimensions: number[]): Op => ({ kind: "broadcast_in_dim", shape, dimensions });
const literal = (shape: Shape): Op => ({ kind: "literal", data: new Float32Array(2), shape, dtype: "f32" });
const image = f32(2, 8, 8, 3);
const filter = f32(3, 3, 3, 4);

describe("an op that cannot be is refused with its name, the requirement and the value:", () => {
  test.for<[Op, TensorType[], string]>([
    [{ kind: "exponential" }, [i32(2)], "exponential: operand must be f32, got i32[2]"],
    [{ kind: "negate" }, [bool(2)], "negate: operand must be a number, got bool"],
    [{ kind: "add" }, [f32(2), f32(3)], "add: operands must have one shape and dtype, got f32[2], f32[3]"],
    [{ kind: "add" }, [f32(2), i32(2)], "add: operands must have one shape and dtype, got f32[2], i32[2]"],
    [{ kind: "add" }, [bool(2), bool(2)], "add: operands must be numbers, got bool"],
    [{ kind: "divide" }, [i32(2), i32(2)], "divide: operands must be f32, got i32"],
    [{ kind: "power" }, [u32(2), u32(2)], "power: operands must be f32, got u32"],
    [{ kind: "and" }, [f32(2), f32(2)], "and: operands must be integers or bool, got f32"],
    [{ kind: "shift_left" }, [i32(2), i32(2)], "shift_left: operands must be u32, got i32"],
    [
      { kind: "compare", direction: "eq" },
      [bool(2), bool(2)],
      "compare: operands must be numbers of one shape and dtype, got bool[2], bool[2]",
    ],
    [
      { kind: "select" },
      [f32(2), f32(2), f32(2)],
      "select: needs a bool and two operands alike, got f32[2], f32[2], f32[2]",
    ],
    [
      { kind: "clamp" },
      [f32(), f32(2), f32()],
      "clamp: operands must have one shape and dtype, got f32[], f32[2], f32[]",
    ],
    [placed([2, 3], [0]), [f32(3)], "broadcast_in_dim: cannot place f32[3] on axes [0] of [2,3]"],
    [placed([2, 3], [1, 0]), [f32(3, 2)], "broadcast_in_dim: cannot place f32[3,2] on axes [1,0] of [2,3]"],
    [placed([2, 3], [5]), [f32(1)], "broadcast_in_dim: cannot place f32[1] on axes [5] of [2,3]"],
    [placed([2.5], []), [f32()], "broadcast_in_dim: dimensions must be whole numbers of at least 0, got [2.5]"],
    [reshape(4, 2), [f32(2, 3)], "reshape: [2,3] has 6 elements, [4,2] has 8"],
    [reshape(-2, -3), [f32(2, 3)], "reshape: dimensions must be whole numbers of at least 0, got [-2,-3]"],
    [
      { kind: "transpose", permutation: [0, 0] },
      [f32(2, 3)],
      "transpose: [0,0] is no permutation of the axes of [2,3]",
    ],
    [slice(-1, 2, 1), [f32(4)], "slice: [-1] to [2] by [1] is outside [4]"],
    [slice(0, 5, 1), [f32(4)], "slice: [0] to [5] by [1] is outside [4]"],
    [slice(3, 2, 1), [f32(4)], "slice: [3] to [2] by [1] is outside [4]"],
    [slice(0, 2, 0), [f32(4)], "slice: [0] to [2] by [0] is outside [4]"],
    [slice(0, 1.5, 1), [f32(4)], "slice: [0] to [1.5] by [1] is outside [4]"],
    [pad([-3], [0], [0]), [f32(2)], "pad: low [-3], high [0] do not fit [2]"],
    [pad([0], [0], [-1]), [f32(2)], "pad: low [0], high [0] do not fit [2]"],
    [pad([1, 1], [1], [0]), [f32(2)], "pad: low [1,1], high [1] do not fit [2]"],
    [
      { kind: "concatenate", axis: 0 },
      [f32(2, 3), f32(2, 4)],
      "concatenate: operands must agree but on axis 0, got f32[2,3], f32[2,4]",
    ],
    [
      { kind: "concatenate", axis: 0 },
      [f32(2), i32(2)],
      "concatenate: operands must agree but on axis 0, got f32[2], i32[2]",
    ],
    [{ kind: "reverse", axes: [2] }, [f32(2, 3)], "reverse: axes [2] are not those of [2,3]"],
    [{ kind: "iota", shape: [3], axis: 1, dtype: "i32" }, [], "iota: [3] has no axis 1"],
    [literal([3]), [], "literal: [3] has 3 elements, got 2"],
    [{ kind: "gather" }, [f32(3), f32(2)], "gather: needs a table with rows and integer indices, got f32[3], f32[2]"],
    [
      { kind: "gather" },
      [f32(0, 3), i32(2)],
      "gather: needs a table with rows and integer indices, got f32[0,3], i32[2]",
    ],
    [
      { kind: "scatter_add", rows: 3 },
      [i32(2), f32(3, 2)],
      "scatter_add: updates must start with the shape of the integer indices, got i32[2], f32[3,2]",
    ],
    [
      { kind: "scatter_add", rows: 0 },
      [i32(2), f32(2)],
      "scatter_add: needs a whole number of rows of at least 1, got 0",
    ],
    [{ kind: "scatter_add", rows: 2 }, [i32(2), bool(2)], "scatter_add: updates must be numbers, got bool"],
    [{ kind: "reduce", reduction: "sum", axes: [1] }, [f32(2)], "reduce: cannot reduce axes [1] of f32[2]"],
    [{ kind: "reduce", reduction: "sum", axes: [0, 0] }, [f32(2)], "reduce: cannot reduce axes [0,0] of f32[2]"],
    [{ kind: "reduce", reduction: "sum", axes: [0] }, [bool(2)], "reduce: cannot reduce axes [0] of bool[2]"],
    [
      { kind: "dot_general", ...dotAxes },
      [f32(2, 3), f32(4, 5)],
      "dot_general: cannot contract axes [1] and [0] (batch [] and []) of f32[2,3], f32[4,5]",
    ],
    [
      { kind: "dot_general", lhsBatch: [], rhsBatch: [], lhsContract: [5], rhsContract: [7] },
      [f32(2), f32(2)],
      "dot_general: cannot contract axes [5] and [7] (batch [] and []) of f32[2], f32[2]",
    ],
    [
      { kind: "convolution", ...plain },
      [image, f32(3, 3, 4, 4)],
      "convolution: input has 3 channels, weight expects 4 (input [2,8,8,3], weight [3,3,4,4])",
    ],
    [
      { kind: "convolution", ...plain },
      [f32(8, 8, 3), filter],
      "convolution: input must be f32 of rank 4, got f32[8,8,3]",
    ],
    [
      { kind: "convolution", ...plain },
      [image, i32(3, 3, 3, 4)],
      "convolution: weight must be f32 of rank 4, got i32[3,3,3,4]",
    ],
    [
      { kind: "convolution", ...plain, strides: [1, 0] },
      [image, filter],
      "convolution: strides must be two whole numbers of at least 1, got [1,0]",
    ],
    [
      { kind: "convolution", ...plain, rhsDilation: [0.5, 1] },
      [image, filter],
      "convolution: rhsDilation must be two whole numbers of at least 1, got [0.5,1]",
    ],
    [
      { kind: "convolution", ...plain },
      [image, f32(0, 3, 3, 4)],
      "convolution: kernel must be two whole numbers of at least 1, got [0,3]",
    ],
    [
      { kind: "convolution_filter_gradient", kernel: [3, 3], ...plain },
      [image, f32(2, 8, 8, 4)],
      "convolution_filter_gradient: cotangent must be [2,6,6,*], got [2,8,8,4]",
    ],
    [
      { kind: "convolution_filter_gradient", kernel: [3, 3], parts: 3, ...plain },
      [image, f32(2, 6, 6, 4)],
      "convolution_filter_gradient: 2 images do not split into 3 parts",
    ],
  ])("%o", ([op, inputs, message]) => {
    expect(() => infer(op, inputs)).toThrow(new Error(message));
  });
});
