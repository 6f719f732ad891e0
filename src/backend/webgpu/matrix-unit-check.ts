import { ndarray } from "../../tensor/ndarray.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";

/** Rows, inner and columns of products that the check below does; they fill no tile. */
const [ROWS, INNER, COLUMNS] = [40, 21, 12];

/** Whether a backend that uses matrix units multiplies whole numbers, of which halves hold these, without an error. */
export async function multipliesExactly(backend: Backend): Promise<boolean> {
  const whole = (i: number): number => ((i * i + 3 * i) % 11) - 5;
  const matrix = (rows: number, columns: number) =>
    ndarray(
      Array.from({ length: rows * columns }, (_, i) => whole(i)),
      [rows, columns],
    );
  const [left, turned, right] = [matrix(ROWS, INNER), matrix(INNER, ROWS), matrix(INNER, COLUMNS)];
  const expected = (element: (row: number, k: number) => number): number[] =>
    Array.from({ length: ROWS * COLUMNS }, (_, i) => {
      const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
      let sum = 0;
      for (let k = 0; k < INNER; k++) sum += element(row, k) * right.data[k * COLUMNS + column];
      return sum;
    });
  const multiply = compile(backend, ({ left, turned, right }) => ({
    outputs: { plain: left.matmul(right), transposed: turned.transpose().matmul(right) },
  }));
  try {
    const { plain, transposed } = await multiply({ left, turned, right });
    return (
      expected((row, k) => left.data[row * INNER + k]).every((value, i) => plain.data[i] === value) &&
      expected((row, k) => turned.data[k * ROWS + row]).every((value, i) => transposed.data[i] === value)
    );
  } catch {
    return false;
  } finally {
    multiply.dispose();
  }
}
