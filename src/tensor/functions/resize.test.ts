import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { ndarray } from "../ndarray.ts";
import type { NdArray } from "../ndarray.ts";
import { meanOfBlocks, resizeBilinear } from "./resize.ts";

interface Recorded {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
/** What PyTorch gave, see generate.py there. */
const { bilinear, pooling } = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/resize/resize.json", import.meta.url), "utf8"),
) as {
  readonly bilinear: readonly { readonly images: Recorded; readonly scaled: Recorded }[];
  readonly pooling: { readonly images: Recorded; readonly pooled: Recorded };
};
const arrayOf = ({ data, shape }: Recorded): NdArray => ndarray(data, shape);

test.each(bilinear)("images are scaled as by PyTorch, to $scaled.shape from $images.shape", async (recorded) => {
  const [, height, width] = recorded.scaled.shape;
  const scaled = await evaluate((x) => resizeBilinear(x, height, width), arrayOf(recorded.images));
  expect(scaled.shape).toEqual(recorded.scaled.shape);
  expect(largestDifference(scaled.data, recorded.scaled.data)).toBeLessThan(2e-6);
});

test("blocks are averaged as by PyTorch's pooling", async () => {
  const pooled = await evaluate((x) => meanOfBlocks(x, 2), arrayOf(pooling.images));
  expect(pooled.shape).toEqual(pooling.pooled.shape);
  expect(largestDifference(pooled.data, pooling.pooled.data)).toBeLessThan(2e-6);
});
