import { range } from "../../../../tensor/shape.ts";
import type { Code, FunctionWriter } from "../../emit/writer.ts";
import { get, i32, set } from "../../emit/writer.ts";

/** A linear map of short sequences, applied to the columns and then to the rows of a square. */
export interface Transform {
  readonly size: number;
  apply(sequence: readonly Code[]): Code[];
}

const sum = (a: Code, b: Code): Code => `(f32x4.add ${a} ${b})`;
const difference = (a: Code, b: Code): Code => `(f32x4.sub ${a} ${b})`;

/** B^T d of F(2, 3): four pixels that two results depend on. */
export const windowTransform: Transform = {
  size: 4,
  apply: ([a, b, c, d]) => [difference(a, c), sum(b, c), difference(c, b), difference(b, d)],
};

/** A^T m: two results of four products. */
export const resultTransform: Transform = {
  size: 4,
  apply: ([a, b, c, d]) => [sum(sum(a, b), c), difference(difference(b, c), d)],
};

/** A y: what two results' cotangents mean for four products. */
export const cotangentTransform: Transform = {
  size: 2,
  apply: ([a, b]) => [a, sum(a, b), difference(a, b), `(f32x4.neg ${b})`],
};

/** G^T m: the gradient of three taps from those of four products. `half` is a vector of 1/2. */
export function tapTransform(half: Code): Transform {
  const halved = (code: Code): Code => `(f32x4.mul ${code} ${half})`;
  return {
    size: 4,
    apply: ([a, b, c, d]) => [sum(a, halved(sum(b, c))), halved(difference(b, c)), sum(halved(sum(b, c)), d)],
  };
}

/** Where squares lie: the bytes between elements of one, and from one to the next. */
export interface Squares {
  readonly address: Code;
  readonly row: number;
  readonly column: number;
  readonly next: number;
  /** From a row of squares to the row below. */
  readonly below: number;
}

export interface TransformLoops {
  readonly rows: Code;
  readonly columns: number;
  /** Vectors of channels, adjacent in memory. */
  readonly vectors: number;
  readonly from: Squares;
  readonly to: Squares;
}

/** Transforms squares of pixels, all channels of each, two vectors at a time where V8 merges pairs. */
export function emitTransform(writer: FunctionWriter, transform: Transform, loops: TransformLoops): void {
  const { rows, columns, vectors, from, to } = loops;
  const source = writer.bind("i32", from.address);
  const target = writer.bind("i32", to.address);
  const pairs = Math.floor(vectors / 2);
  const move = (fromBytes: number, toBytes: number): void => {
    writer.line(set(source, `(i32.add ${get(source)} ${i32(fromBytes)})`));
    writer.line(set(target, `(i32.add ${get(target)} ${i32(toBytes)})`));
  };
  const square = (width: number): void => {
    const load = (i: number, j: number, v: number): Code =>
      `(v128.load offset=${i * from.row + j * from.column + 16 * v} ${get(source)})`;
    const sequence = range(transform.size);
    const rowsOfResult = transform.apply(sequence.map(() => "")).length;
    for (const row of range(rowsOfResult)) {
      const results = range(width).map((v) => {
        const mixed = sequence.map((j) =>
          writer.bind("v128", transform.apply(sequence.map((i) => load(i, j, v)))[row]),
        );
        return transform.apply(mixed.map(get)).map((code) => get(writer.bind("v128", code)));
      });
      for (const column of range(rowsOfResult)) {
        results.forEach((values, v) => {
          const offset = row * to.row + column * to.column + 16 * v;
          writer.line(`(v128.store offset=${offset} ${get(target)} ${values[column]})`);
        });
      }
    }
  };
  writer.loop(i32(0), rows, 1, () => {
    writer.loop(i32(0), i32(columns), 1, () => {
      writer.loop(i32(0), i32(pairs), 1, () => {
        square(2);
        move(32, 32);
      });
      if (vectors % 2 === 1) square(1);
      move(from.next - 32 * pairs, to.next - 32 * pairs);
    });
    move(from.below - columns * from.next, to.below - columns * to.next);
  });
}
