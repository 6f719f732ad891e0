import { allocate } from "../../src/tensor/dtype.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { BinaryKind, Comparison, UnaryKind } from "../../src/tensor/op.ts";
import { Tensor, full } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";
import type { OpCase, OpCases, Precision } from "./op-cases.ts";
import { drawElementwiseShape } from "./shapes.ts";

type Draw = (random: Random) => number;

/** Around the places where f32, and the usual ways to compute these functions, change behaviour. */
export const SPECIAL_VALUES: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  Infinity,
  -Infinity,
  NaN,
  1e-45,
  -1e-45,
  1e-40,
  -1e-40,
  1.1754944e-38,
  -1.1754944e-38,
  3.4028235e38,
  -3.4028235e38,
  1e30,
  -1e30,
  1e-30,
  -1e-30,
  0.99999994,
  1.0000001,
  -1.0000001,
  1e-4,
  -1e-4,
  0.1,
  -0.1,
  1.5,
  2.5,
  -1.5,
  -2.5,
  3,
  -3,
  3.9,
  -3.9,
  4.1,
  -4.1,
  6,
  -6,
  9.1,
  -9.1,
  17,
  -17,
  20,
  -20,
  87,
  -87,
  88,
  -88,
  89,
  -89,
  95,
  -95,
  104,
  -104,
  200,
  -200,
  1000,
  -1000,
  9999.5,
  -9999.5,
  8388607.5,
  8388608,
  16777216,
  -16777216,
];
/** Beyond this the reduction of an argument to a period of sine and cosine needs more than f32. */
const MAX_ANGLE = 1e4;

const normal: Draw = (random) => random.normal() * 3;
/** Any sign, magnitudes from 1e-6 to 1e6. */
const wide: Draw = (random) => (random.chance(0.5) ? 1 : -1) * 10 ** random.between(-6, 6);
const positive: Draw = (random) =>
  random.chance(0.2)
    ? 1 + random.normal() * 1e-3
    : random.chance(0.5)
      ? 10 ** random.between(-30, 30)
      : random.between(0, 4);

function spread(limit: number): Draw {
  return (random) => (random.chance(0.5) ? random.normal() : random.between(-limit, limit));
}

function anyInteger(dtype: DType): Draw {
  return (random) => {
    if (dtype === "bool") return random.integer(0, 1);
    if (random.chance(0.5)) return random.integer(dtype === "u32" ? 0 : -9, 9);
    return dtype === "u32" ? random.integer(0, 2 ** 32 - 1) : random.integer(-(2 ** 31), 2 ** 31 - 1);
  };
}

function drawNumbers(random: Random, dtype: DType, float: Draw, shape = drawElementwiseShape(random)): NdArray {
  const draw = dtype === "f32" ? float : anyInteger(dtype);
  return random.array(shape, dtype, () => draw(random));
}

function vector(values: readonly number[], dtype: DType = "f32"): NdArray {
  const data = allocate(dtype, values.length);
  data.set(values);
  return { shape: [values.length], dtype, data };
}

interface UnaryOptions {
  readonly precision: Precision;
  readonly float: Draw;
  readonly dtypes?: readonly DType[];
  readonly special?: readonly number[];
  readonly magnitude?: (x: Tensor) => Tensor;
}

function unary(kind: UnaryKind, options: UnaryOptions): OpCases {
  const { precision, float, dtypes = ["f32"], special = SPECIAL_VALUES, magnitude } = options;
  const of = (x: NdArray): OpCase => ({
    inputs: [x],
    build: (inputs) => new Tensor({ kind }, inputs),
    ...(magnitude && { magnitude: ([x]: readonly Tensor[]) => magnitude(x) }),
  });
  return {
    precision,
    count: 4 + 2 * dtypes.length,
    draw: (random) => of(drawNumbers(random, random.pick(dtypes), float)),
    pinned: [() => of(vector(special))],
  };
}

/** Every value of one list with every value of the other. */
function pairs(first: readonly number[], second: readonly number[], dtype: DType = "f32"): NdArray[] {
  const all = first.flatMap((a) => second.map((b) => [a, b] as const));
  return [
    vector(
      all.map(([a]) => a),
      dtype,
    ),
    vector(
      all.map(([, b]) => b),
      dtype,
    ),
  ];
}

interface BinaryOptions {
  readonly precision: Precision;
  readonly dtypes: readonly DType[];
  readonly float?: Draw;
  readonly second?: Draw;
  readonly special?: readonly NdArray[];
}

function binary(kind: BinaryKind, options: BinaryOptions): OpCases {
  const { precision, dtypes, float = wide, second = float, special } = options;
  const of = (inputs: readonly NdArray[]): OpCase => ({ inputs, build: (operands) => new Tensor({ kind }, operands) });
  const draw = (random: Random): OpCase => {
    const dtype = random.pick(dtypes);
    const a = drawNumbers(random, dtype, float);
    return of([a, drawNumbers(random, dtype, second, a.shape)]);
  };
  return { precision, count: 4 + 2 * dtypes.length, draw, pinned: special ? [() => of(special)] : [] };
}

const SHIFTS: BinaryOptions = { precision: "exact", dtypes: ["u32"] };

function shift(kind: "shift_left" | "shift_right"): OpCases {
  const of = (inputs: readonly NdArray[]): OpCase => ({ inputs, build: (operands) => new Tensor({ kind }, operands) });
  return {
    ...binary(kind, SHIFTS),
    draw: (random) => {
      const x = drawNumbers(random, "u32", normal);
      return of([x, random.array(x.shape, "u32", () => random.integer(0, 31))]);
    },
    pinned: [() => of(pairs([0, 1, 0x80000000, 0xffffffff, 0x12345678], [0, 1, 15, 16, 31], "u32"))],
  };
}

const NUMBERS = ["f32", "i32", "u32"] as const;
const BITS = ["i32", "u32", "bool"] as const;
const SPECIAL_PAIRS = pairs(SPECIAL_VALUES, SPECIAL_VALUES);
const COMPARISONS: readonly Comparison[] = ["eq", "ne", "lt", "le", "gt", "ge"];

/** Bases and exponents whose powers neither overflow nor lie within rounding of an overflow. */
const powerPair = (random: Random): readonly [number, number] => {
  if (random.chance(0.3)) return [random.normal() * 2, random.integer(-3, 4)];
  return [10 ** random.between(-3, 3), random.between(-6, 6)];
};

const compare: OpCases = {
  precision: "exact",
  count: 18,
  draw: (random) => {
    const direction = random.pick(COMPARISONS);
    const dtype = random.pick(NUMBERS);
    // Few different numbers, so that many are equal.
    const few: Draw = (random) => random.integer(-2, 2) / 2;
    const a = drawNumbers(random, dtype, few);
    const b = drawNumbers(random, dtype, few, a.shape);
    return { inputs: [a, b], build: (operands) => new Tensor({ kind: "compare", direction }, operands) };
  },
  pinned: COMPARISONS.map((direction) => () => ({
    inputs: SPECIAL_PAIRS,
    build: (operands) => new Tensor({ kind: "compare", direction }, operands),
  })),
};

const select: OpCases = {
  precision: "exact",
  count: 10,
  draw: (random) => {
    const dtype = random.pick([...NUMBERS, "bool"] as const);
    const a = drawNumbers(random, dtype, normal);
    const b = drawNumbers(random, dtype, normal, a.shape);
    const condition = random.array(a.shape, "bool");
    return { inputs: [condition, a, b], build: (operands) => new Tensor({ kind: "select" }, operands) };
  },
  pinned: [
    (random) => ({
      inputs: [random.array([SPECIAL_PAIRS[0].data.length], "bool"), ...SPECIAL_PAIRS],
      build: (operands) => new Tensor({ kind: "select" }, operands),
    }),
  ],
};

const clamp: OpCases = {
  precision: "exact",
  count: 10,
  draw: (random) => {
    const dtype = random.pick(NUMBERS);
    const x = drawNumbers(random, dtype, normal);
    const low = drawNumbers(random, dtype, normal, x.shape);
    const high = drawNumbers(random, dtype, normal, x.shape);
    return { inputs: [low, x, high], build: (operands) => new Tensor({ kind: "clamp" }, operands) };
  },
  pinned: [
    () => ({
      inputs: [vector(SPECIAL_VALUES)],
      build: ([x]) => new Tensor({ kind: "clamp" }, [full(x.shape, -1), x, full(x.shape, 1)]),
    }),
  ],
};

const BEYOND_INTEGERS = [
  2147483520, 2147483648, -2147483648, -2147483904, 4294967040, 4294967296, 1e10, -1e10, 0.9999, -0.9999, -1e-3,
];
const DTYPES: readonly DType[] = ["f32", "i32", "u32", "bool"];

const convert: OpCases = {
  precision: "exact",
  count: 32,
  draw: (random) => {
    const x = drawNumbers(random, random.pick(DTYPES), wide);
    const dtype = random.pick(DTYPES);
    return { inputs: [x], build: (operands) => new Tensor({ kind: "convert", dtype }, operands) };
  },
  pinned: DTYPES.map((dtype) => () => ({
    inputs: [vector([...SPECIAL_VALUES, ...BEYOND_INTEGERS])],
    build: (operands) => new Tensor({ kind: "convert", dtype }, operands),
  })),
};

/** Of normal numbers: devices may take smaller ones for 0, and have several NaN. */
const bitcast: OpCases = {
  precision: "exact",
  count: 16,
  draw: (random) => {
    const { shape, data } = drawNumbers(random, "f32", wide);
    const bits = new Uint32Array(Float32Array.from(data, (x) => (Math.abs(x) < 1e-30 ? 1 : x)).buffer);
    return { inputs: [ndarray(bits, shape)], build: (operands) => new Tensor({ kind: "bitcast_convert" }, operands) };
  },
};

const one = (x: Tensor): Tensor => full(x.shape, 1);
const ANGLES = SPECIAL_VALUES.filter((x) => Math.abs(x) <= MAX_ANGLE || !Number.isFinite(x));
const transcendental = (kind: UnaryKind, float: Draw): OpCases => unary(kind, { precision: "transcendental", float });
const exactly = (kind: UnaryKind, dtypes: readonly DType[]): OpCases =>
  unary(kind, { precision: "exact", float: wide, dtypes });
const arithmetic: Omit<BinaryOptions, "dtypes"> = { precision: "arithmetic", special: SPECIAL_PAIRS };

export const elementwiseCases: Readonly<
  Record<UnaryKind | BinaryKind | "compare" | "select" | "clamp" | "convert" | "bitcast_convert", OpCases>
> = {
  negate: exactly("negate", NUMBERS),
  abs: exactly("abs", NUMBERS),
  sign: exactly("sign", NUMBERS),
  floor: unary("floor", { precision: "exact", float: (random) => random.normal() * 10 ** random.between(-1, 6) }),
  stop_gradient: exactly("stop_gradient", NUMBERS),
  exponential: transcendental("exponential", spread(85)),
  log: transcendental("log", positive),
  sqrt: unary("sqrt", { precision: "arithmetic", float: positive }),
  rsqrt: transcendental("rsqrt", positive),
  tanh: transcendental("tanh", spread(12)),
  logistic: transcendental("logistic", spread(85)),
  erf: transcendental("erf", spread(5)),
  sine: unary("sine", {
    precision: "transcendental",
    float: spread(MAX_ANGLE),
    special: ANGLES,
    magnitude: (x) => x.abs().minimum(1),
  }),
  cosine: unary("cosine", { precision: "transcendental", float: spread(MAX_ANGLE), special: ANGLES, magnitude: one }),
  add: binary("add", { ...arithmetic, dtypes: NUMBERS }),
  subtract: binary("subtract", { ...arithmetic, dtypes: NUMBERS }),
  multiply: binary("multiply", { ...arithmetic, dtypes: NUMBERS }),
  divide: binary("divide", { ...arithmetic, dtypes: ["f32"] }),
  maximum: binary("maximum", { ...arithmetic, precision: "exact", dtypes: NUMBERS }),
  minimum: binary("minimum", { ...arithmetic, precision: "exact", dtypes: NUMBERS }),
  power: {
    precision: "transcendental",
    count: 6,
    draw: (random) => {
      const shape = drawElementwiseShape(random);
      const drawn: (readonly [number, number])[] = [];
      const base = random.array(shape, "f32", () => {
        const pair = powerPair(random);
        drawn.push(pair);
        return pair[0];
      });
      const exponent = { ...base, data: Float32Array.from(drawn, ([, exponent]) => exponent) };
      return { inputs: [base, exponent], build: (operands) => new Tensor({ kind: "power" }, operands) };
    },
    pinned: [
      () => ({
        inputs: pairs([0, 1, 2, 0.5, 10, -1, -2, -0.5, 1e-10, 1e10, 7.3], [0, 1, 2, 3, 0.5, -1, -2, -0.5, 2.5, -3]),
        build: (operands) => new Tensor({ kind: "power" }, operands),
      }),
    ],
  },
  and: binary("and", { precision: "exact", dtypes: BITS }),
  or: binary("or", { precision: "exact", dtypes: BITS }),
  xor: binary("xor", { precision: "exact", dtypes: BITS }),
  shift_left: shift("shift_left"),
  shift_right: shift("shift_right"),
  compare,
  select,
  clamp,
  convert,
  bitcast_convert: bitcast,
};
