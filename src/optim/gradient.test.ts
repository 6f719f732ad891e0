import { expect, test } from "vitest";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { clipByGlobalNorm } from "./gradient.ts";

const gradients = [ndarray([3, 0], [2]), ndarray([[0], [4]].flat(), [2, 1])];

async function clipped(maxNorm: number): Promise<number[]> {
  const clip = compile(ReferenceBackend.create(), ({ a, b }) => {
    const [x, y] = clipByGlobalNorm([a, b], maxNorm);
    return { outputs: { x, y } };
  });
  const { x, y } = await clip({ a: gradients[0], b: gradients[1] });
  return [...x.data, ...y.data];
}

test("gradients above the norm are scaled down together", async () => {
  // The norm of (3, 0, 0, 4) is 5.
  const expected = [3 / 5, 0, 0, 4 / 5];
  for (const [i, value] of (await clipped(1)).entries()) expect(value).toBeCloseTo(expected[i], 6);
});

test("gradients below the norm stay as they are", async () => {
  expect(await clipped(5.1)).toEqual([3, 0, 0, 4]);
});
