import { expect, test } from "vitest";
import { Random } from "../../../test/support/random.ts";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { quantile } from "./quantile.ts";

/** By sorting, as torch.quantile has it. */
function sorted(row: readonly number[], ratio: number): number {
  const rising = row.toSorted((a, b) => a - b);
  const place = ratio * (row.length - 1);
  const low = Math.floor(place);
  return rising[low] + (place - low) * ((rising[low + 1] ?? rising[low]) - rising[low]);
}

const random = new Random(3);
const normal = Array.from({ length: 101 }, () => random.normal());
const rows = {
  "normal numbers": normal,
  "numbers that repeat": normal.map((value) => Math.round(value)),
  "one number": normal.map(() => 0.3),
  "numbers of very different sizes": normal.map((value) => Math.exp(9 * value)),
};

test.each(Object.entries(rows))("quantiles of %s are those of the sorted ones", async (_, row) => {
  const x = tensorOf(row.map(Math.fround)).reshape([1, row.length]);
  const most = Math.max(...row.map(Math.abs));
  for (const ratio of [0, 0.1, 0.25, 0.5, 0.933, 0.995, 1]) {
    const [value] = await valuesOf(quantile(x, ratio));
    expect(Math.abs(value - sorted(row.map(Math.fround), ratio))).toBeLessThan(1e-6 * most);
  }
});

test("each row has its own", async () => {
  const x = tensorOf([1, 2, 3, 30, 10, 20]).reshape([2, 3]);
  expect(await valuesOf(quantile(x, 0.5))).toEqual([2, 20]);
});
