import { ReferenceBackend } from "unnoise";
import { expect, test } from "vitest";
import { garmentOf } from "../common/garments.ts";
import { firstGarments } from "../common/test-data.ts";
import { Walk, histogram, meanAndDeviation } from "./model.ts";

const PIXEL = 14 * 28 + 14;
const WALKS = 4000;

test("a thousand small steps lead where one jump does, and where the formula says", async () => {
  const picture = garmentOf(await firstGarments(), 1);
  const walk = new Walk(new ReferenceBackend(), picture, PIXEL, { timesteps: 1000, walks: WALKS, seed: 3 });
  for (const steps of [50, 200, 1000]) {
    await walk.advance(steps - walk.steps);
    const { mean, deviation } = walk.expected();
    const [walked, jumped] = [walk.walked(), await walk.jumped()];
    for (const { pixel } of [walked, jumped]) {
      const counted = meanAndDeviation(pixel);
      // Four standard errors.
      expect(Math.abs(counted.mean - mean)).toBeLessThan((4 * deviation) / Math.sqrt(WALKS));
      expect(Math.abs(counted.deviation - deviation)).toBeLessThan((4 * deviation) / Math.sqrt(2 * WALKS));
    }
    // Kolmogorov and Smirnov's test of two samples, one in a thousand of which are further apart.
    expect(furthest(walked.pixel, jumped.pixel)).toBeLessThan(1.95 * Math.sqrt(2 / WALKS));
    expect(walked.picture.data).not.toEqual(jumped.picture.data);
  }
  expect(walk.steps).toBe(1000);
});

test("a histogram counts every value within its range once", () => {
  expect([...histogram([-1, -0.5, 0, 0.99, 1, 7], -1, 1, 4)]).toEqual([1, 1, 1, 1]);
});

/** The largest difference of two empirical distribution functions. */
function furthest(a: Float32Array, b: Float32Array): number {
  const [left, right] = [a.toSorted(), b.toSorted()];
  let largest = 0;
  for (let i = 0, k = 0; i < left.length && k < right.length;) {
    if (left[i] <= right[k]) i++;
    else k++;
    largest = Math.max(largest, Math.abs(i / left.length - k / right.length));
  }
  return largest;
}
