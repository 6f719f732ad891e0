import { afterAll, describe, expect, test } from "vitest";
import { inputLeaves } from "../../../../test/backend/context.ts";
import { Random } from "../../../../test/support/random.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { dotGeneral } from "../../../tensor/tensor.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";

/** x^T y + bias, [rows, columns], for each of a batch, in double precision. */
function expectedOf(x: NdArray, y: NdArray, bias: NdArray): number[] {
  const [batch, inner, rows] = x.shape;
  const columns = y.shape[2];
  const result: number[] = [];
  for (let i = 0; i < batch; i++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        let sum = bias.data[row * columns + column];
        for (let k = 0; k < inner; k++)
          sum += x.data[(i * inner + k) * rows + row] * y.data[(i * inner + k) * columns + column];
        result.push(sum);
      }
  return result;
}

const SHAPES: readonly (readonly [batch: number, inner: number, rows: number, columns: number])[] = [
  // Columns that fill no tiles beside rows that do: the product is computed transposed.
  [8, 196, 128, 28], // one piece of the sum
  [9, 785, 128, 28], // several, the last one short
  [8, 40, 32, 12],
  [8, 5, 64, 84],
  [7, 40, 128, 28], // too few tasks
  // Many columns, in blocks if they come in equal ones; sums of one piece and of several.
  [1, 200, 61, 528],
  [2, 300, 30, 768],
  [1, 260, 27, 521],
];

describe("products with a transposed left factor and a sum of matrices", async () => {
  for (const wide of [true, false]) {
    const backend = await createWasmBackend({ threads: 2, wide });
    afterAll(() => backend.close());
    test.for(SHAPES)(
      `are right with ${wide ? 256 : 128} bits: batches of %i, sums of %i, %i rows, %i columns`,
      async (shape) => {
        const [batch, inner, rows, columns] = shape;
        const random = new Random(1);
        const inputs = [
          random.array([batch, inner, rows]),
          random.array([batch, inner, columns]),
          random.array([rows, columns]),
        ];
        const leaves = inputLeaves(inputs);
        const [x, y, bias] = leaves;
        const product = dotGeneral(x, y, { lhsBatch: [0], rhsBatch: [0], lhsContract: [1], rhsContract: [1] });
        const outputs = [product.add(bias)];
        const [result] = await (await backend.load({ inputs: leaves, outputs, updates: [] })).run(inputs);
        const expected = expectedOf(inputs[0], inputs[1], inputs[2]);
        const worst = Math.max(...expected.map((value, i) => Math.abs(value - result.data[i])));
        expect(worst).toBeLessThan(3e-6 * inner);
      },
    );
  }
});
