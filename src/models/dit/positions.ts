import type { NdArray } from "../../tensor/ndarray.ts";

/**
 * What tells a transformer where each token of a grid is, [rows * columns, dim], row by row: half of the channels for the
 * column and half for the row, each sin(p w_i) and then cos(p w_i) with w_i = 10000^(-i / (dim / 4)).
 *
 * @param dim divisible by 4
 */
export function sincosPositions(
  rows: number,
  columns: number,
  dim: number,
): NdArray & { readonly data: Float32Array<ArrayBuffer> } {
  const quarter = dim / 4;
  const data = new Float32Array(rows * columns * dim);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const start = (row * columns + column) * dim;
      for (const [half, position] of [column, row].entries()) {
        for (let i = 0; i < quarter; i++) {
          const angle = position / 10000 ** (i / quarter);
          const at = start + half * 2 * quarter + i;
          data[at] = Math.sin(angle);
          data[at + quarter] = Math.cos(angle);
        }
      }
    }
  }
  return { shape: [rows * columns, dim], dtype: "f32", data };
}
