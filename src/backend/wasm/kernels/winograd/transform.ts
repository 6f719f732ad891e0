import { range } from "../../../../tensor/shape.ts";
import type { FunctionBuilder } from "../../assembly/function-builder.ts";
import type { Integer, Operand } from "../../assembly/instruction.ts";
import { f32x4, v128 } from "../../assembly/vector-instructions.ts";

type Vector = Operand<"v128">;

/** A linear map of short sequences, applied to the columns and then to the rows of a square. */
export interface Transform {
  /** How many it takes, and how many it gives. */
  readonly takes: number;
  readonly gives: number;
  apply(sequence: readonly Vector[]): Vector[];
}

const { add, sub } = f32x4;

/** B^T d of F(2, 3): four pixels that two results depend on. */
export const windowTransform: Transform = {
  takes: 4,
  gives: 4,
  apply: ([a, b, c, d]) => [sub(a, c), add(b, c), sub(c, b), sub(b, d)],
};

/** A^T m: two results of four products. */
export const resultTransform: Transform = {
  takes: 4,
  gives: 2,
  apply: ([a, b, c, d]) => [add(add(a, b), c), sub(sub(b, c), d)],
};

/** A y: what two results' cotangents mean for four products. */
export const cotangentTransform: Transform = {
  takes: 2,
  gives: 4,
  apply: ([a, b]) => [a, add(a, b), sub(a, b), f32x4.neg(b)],
};

/** G^T m: the gradient of three taps from those of four products. `half` is a vector of 1/2. */
export function tapTransform(half: Vector): Transform {
  const halved = (vector: Vector): Vector => f32x4.mul(vector, half);
  return {
    takes: 4,
    gives: 3,
    apply: ([a, b, c, d]) => [add(a, halved(add(b, c))), halved(sub(b, c)), add(halved(add(b, c)), d)],
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
}

/** Transforms squares of pixels, all channels of each, two vectors at a time where V8 merges pairs. */
export function emitTransform(code: FunctionBuilder, transform: Transform, loops: TransformLoops): void {
  const { rows, columns, vectors, from, to } = loops;
  const source = code.local("i32", from.address);
  const target = code.local("i32", to.address);
  const pairs = Math.floor(vectors / 2);
  const move = (fromBytes: number, toBytes: number): void => {
    code.increase(source, fromBytes);
    code.increase(target, toBytes);
  };
  const square = (width: number): void => {
    const load = (i: number, j: number, v: number): Vector =>
      v128.load(source, i * from.row + j * from.column + 16 * v);
    const sequence = range(transform.takes);
    for (const row of range(transform.gives)) {
      const results = range(width).map((v) => {
        const mixed = sequence.map((j) => code.local("v128", transform.apply(sequence.map((i) => load(i, j, v)))[row]));
        return transform.apply(mixed).map((value) => code.local("v128", value));
      });
      for (const column of range(transform.gives)) {
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
