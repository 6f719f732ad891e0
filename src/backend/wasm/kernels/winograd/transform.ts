import { range } from "../../../../tensor/shape.ts";
import type { FunctionBuilder } from "../../assembly/function-builder.ts";
import type { Integer, Local, Operand } from "../../assembly/instruction.ts";
import { f32x4, v128 } from "../../assembly/vector-instructions.ts";
import { multiplyAdd } from "../micro-kernel.ts";
import { transposed } from "./scheme.ts";
import type { Matrix, Scheme } from "./scheme.ts";

type Vector = Operand<"v128">;

/** Emits linear maps of short sequences of vectors. */
class VectorArithmetic {
  readonly #code: FunctionBuilder;
  readonly #relaxed: boolean;

  constructor(code: FunctionBuilder, relaxed: boolean) {
    this.#code = code;
    this.#relaxed = relaxed;
  }

  /** The sum of coefficients times vectors. */
  combine(coefficients: readonly number[], vectors: readonly Vector[]): Local<"v128"> {
    const used = range(vectors.length).filter((i) => coefficients[i] !== 0);
    if (used.length === 0) throw new Error("internal: a transform gives nothing");
    const first = used.find((i) => coefficients[i] === 1) ?? used[0];
    const start =
      coefficients[first] === 1 ? vectors[first] : f32x4.mul(vectors[first], this.#splat(coefficients[first]));
    const sum = used.filter((i) => i !== first).reduce((so, i) => this.#plus(so, coefficients[i], vectors[i]), start);
    return this.#code.local("v128", sum);
  }

  /** a + coefficient * b, and with the other sign. */
  both(a: Vector, coefficient: number, b: Vector): [Local<"v128">, Local<"v128">] {
    return [
      this.#code.local("v128", this.#plus(a, coefficient, b)),
      this.#code.local("v128", this.#plus(a, -coefficient, b)),
    ];
  }

  #plus(sum: Vector, coefficient: number, vector: Vector): Vector {
    if (coefficient === 1) return f32x4.add(sum, vector);
    if (coefficient === -1) return f32x4.sub(sum, vector);
    return multiplyAdd(this.#splat(coefficient), vector, sum, this.#relaxed);
  }

  #splat(value: number): Vector {
    return this.#code.constant(v128.const("f32x4", [value, value, value, value]));
  }
}

/** A linear map of short sequences. */
export interface Transform {
  /** How many it takes, and how many it gives. */
  readonly takes: number;
  readonly gives: number;
  apply(arithmetic: VectorArithmetic, sequence: readonly Vector[]): Vector[];
}

/** The values at even or at odd places. */
const ofParity = (values: readonly number[], parity: number): number[] =>
  values.map((value, i) => (i % 2 === parity ? value : 0));

/** By a matrix whose rows belong to points: those of p and -p differ in the sign of odd columns. */
function atPoints(matrix: Matrix): Transform {
  return {
    takes: matrix[0].length,
    gives: matrix.length,
    apply: (arithmetic, sequence) => {
      const given = (row: readonly number[]): Vector => arithmetic.combine(row, sequence);
      const pair = (row: readonly number[]): Vector[] => {
        const odd = ofParity(row, 1);
        const scale = odd[odd.findLastIndex((value) => value !== 0)];
        const normal = odd.map((value) => value / scale);
        return arithmetic.both(given(ofParity(row, 0)), scale, given(normal));
      };
      const pairs = range((matrix.length - 2) / 2).flatMap((i) => pair(matrix[2 * i + 1]));
      return [given(matrix[0]), ...pairs, given(matrix[matrix.length - 1])];
    },
  };
}

/** By one row of a matrix. */
function atPoint(row: readonly number[]): Transform {
  return { takes: row.length, gives: 1, apply: (arithmetic, sequence) => [arithmetic.combine(row, sequence)] };
}

const ofSquares = (transform: Transform): SquareTransform => ({ columns: transform, rows: transform });

/** By a matrix whose columns belong to points: those of p and -p differ in the sign of odd rows. */
function fromPoints(matrix: Matrix): Transform {
  const takes = matrix[0].length;
  const firstOfPairs = range((takes - 2) / 2).map((i) => 2 * i + 1);
  return {
    takes,
    gives: matrix.length,
    apply: (arithmetic, sequence) => {
      const pairs = firstOfPairs.map((i) => arithmetic.both(sequence[i], 1, sequence[i + 1]));
      return matrix.map((row, power) => {
        const vectors = [sequence[0], ...pairs.map((pair) => pair[power % 2]), sequence[takes - 1]];
        const coefficients = [row[0], ...firstOfPairs.map((i) => row[i]), row[takes - 1]];
        return arithmetic.combine(coefficients, vectors);
      });
    },
  };
}

/** What a scheme does to windows of pixels, to filters and to products, and for gradients to results and to filters' points. */
export interface Transforms {
  readonly window: SquareTransform;
  readonly filter: SquareTransform;
  /** The same, a row of points at a time. */
  readonly filterRows: readonly SquareTransform[];
  readonly result: SquareTransform;
  /** What the cotangents of a tile's results mean for its products. */
  readonly cotangent: SquareTransform;
  /** The gradient of taps from those of transformed filters. */
  readonly tap: SquareTransform;
}

export function transformsOf({ filters, windows, products }: Scheme): Transforms {
  return {
    window: ofSquares(atPoints(windows)),
    filter: ofSquares(atPoints(filters)),
    filterRows: filters.map((row) => ({ columns: atPoint(row), rows: atPoints(filters) })),
    result: ofSquares(fromPoints(products)),
    cotangent: ofSquares(atPoints(transposed(products))),
    tap: ofSquares(fromPoints(transposed(filters))),
  };
}

/** Where squares lie: the bytes between elements of one, and from one to the next. */
export interface Squares {
  readonly address: Integer;
  readonly row: number;
  readonly column: number;
  readonly next: number;
  /** From a row of squares to the row below. */
  readonly below: number;
}

export interface TransformLoops {
  readonly rows: Integer;
  readonly columns: number;
  /** Vectors of channels, adjacent in memory. */
  readonly vectors: number;
  readonly from: Squares;
  readonly to: Squares;
  /** Whether to multiply and add in one instruction. */
  readonly relaxed: boolean;
}

/** A transform for the columns of squares, and one for the rows of what that gives. */
export interface SquareTransform {
  readonly columns: Transform;
  readonly rows: Transform;
}

/** Transforms squares of pixels, all channels of each, two vectors at a time where V8 merges pairs. */
export function emitTransform(code: FunctionBuilder, transform: SquareTransform, loops: TransformLoops): void {
  const { rows, columns, vectors, from, to } = loops;
  const arithmetic = new VectorArithmetic(code, loops.relaxed);
  const source = code.local("i32", from.address);
  const target = code.local("i32", to.address);
  const pairs = Math.floor(vectors / 2);
  const move = (fromBytes: number, toBytes: number): void => {
    code.increase(source, fromBytes);
    code.increase(target, toBytes);
  };
  const square = (width: number): void => {
    const load = (i: number, j: number, v: number): Vector =>
      code.local("v128", v128.load(source, i * from.row + j * from.column + 16 * v));
    // By column: for each vector, what the columns become.
    const mixed = range(transform.rows.takes).map((j) => {
      const loaded = range(transform.columns.takes).map((i) => range(width).map((v) => load(i, j, v)));
      return range(width).map((v) =>
        transform.columns.apply(
          arithmetic,
          loaded.map((vectors) => vectors[v]),
        ),
      );
    });
    for (const row of range(transform.columns.gives)) {
      const results = range(width).map((v) =>
        transform.rows.apply(
          arithmetic,
          mixed.map((column) => column[v][row]),
        ),
      );
      for (const column of range(transform.rows.gives)) {
        results.forEach((values, v) => {
          code.emit(v128.store(target, values[column], row * to.row + column * to.column + 16 * v));
        });
      }
    }
  };
  code.countUp(0, rows, 1, () => {
    code.countUp(0, columns, 1, () => {
      code.countUp(0, pairs, 1, () => {
        square(2);
        move(32, 32);
      });
      if (vectors % 2 === 1) square(1);
      move(from.next - 32 * pairs, to.next - 32 * pairs);
    });
    move(from.below - columns * from.next, to.below - columns * to.next);
  });
}
