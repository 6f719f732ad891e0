import { describe, expect, test } from "vitest";
import { gradientError } from "../../../test/support/gradients.ts";
import { Random } from "../../../test/support/random.ts";
import { arraysOf } from "../../../test/support/reference.ts";
import { grad } from "../autodiff/grad.ts";
import type { NdArray } from "../ndarray.ts";
import { groupNorm } from "./norm.ts";
import { full, literal } from "../tensor.ts";

/** (x - mean) / sqrt(variance + epsilon) * weight + bias over each group's pixels and channels, in float64. */
function plainGroupNorm(x: NdArray, groups: number, weight: NdArray, bias: NdArray, epsilon: number): number[] {
  const [batch, height, width, channels] = x.shape;
  const perGroup = channels / groups;
  const result = Array.from(x.data);
  for (let n = 0; n < batch; n++) {
    for (let group = 0; group < groups; group++) {
      const places: number[] = [];
      for (let pixel = 0; pixel < height * width; pixel++) {
        for (let c = group * perGroup; c < (group + 1) * perGroup; c++)
          places.push((n * height * width + pixel) * channels + c);
      }
      const mean = places.reduce((sum, at) => sum + x.data[at], 0) / places.length;
      const variance = places.reduce((sum, at) => sum + (x.data[at] - mean) ** 2, 0) / places.length;
      for (const at of places) {
        const normal = (x.data[at] - mean) / Math.sqrt(variance + epsilon);
        result[at] = normal * weight.data[at % channels] + bias.data[at % channels];
      }
    }
  }
  return result;
}

interface Sizes {
  readonly shape: readonly number[];
  readonly groups: number;
  readonly centre?: number;
  readonly deviation?: number;
  readonly epsilon?: number;
}

async function largestError({ shape, groups, centre = 0, deviation = 1, epsilon }: Sizes): Promise<number> {
  const random = new Random(groups);
  const x = random.array(shape, "f32", () => centre + deviation * random.normal());
  const channels = shape[3];
  const weight = random.array([channels]);
  const bias = random.array([channels]);
  const options = {
    groups,
    weight: literal(weight),
    bias: literal(bias),
    ...(epsilon === undefined ? {} : { epsilon }),
  };
  const [{ data }] = await arraysOf([groupNorm(literal(x), options)]);
  const expected = plainGroupNorm(x, groups, weight, bias, epsilon ?? 1e-5);
  return Math.max(...expected.map((value, i) => Math.abs(value - data[i])));
}

describe("groupNorm", () => {
  test.for<Sizes>([
    { shape: [2, 5, 4, 6], groups: 1 },
    { shape: [2, 5, 4, 6], groups: 2 },
    { shape: [3, 3, 7, 6], groups: 6 },
    { shape: [1, 1, 1, 8], groups: 4 },
    { shape: [2, 2, 3, 8], groups: 4, epsilon: 0.1 },
    { shape: [2, 6, 6, 4], groups: 2, deviation: 1e-4 },
    { shape: [2, 6, 6, 4], groups: 2, deviation: 1e4 },
  ])("is the plain formula: $shape in $groups groups", async (sizes) => {
    expect(await largestError(sizes)).toBeLessThan(5e-6);
  });

  test("keeps its precision when the mean is far from zero", async () => {
    // One multiply-add of numbers near 1000 costs a rounding of 1000 * 2^-24 each.
    expect(await largestError({ shape: [2, 8, 8, 8], groups: 4, centre: 1000 })).toBeLessThan(3 * 1000 * 2 ** -24 * 3);
    expect(await largestError({ shape: [2, 8, 8, 8], groups: 4, centre: -30 })).toBeLessThan(3 * 30 * 2 ** -24 * 3);
  });

  test("gives the bias where all values are equal", async () => {
    const options = { groups: 2, weight: full([4], 3), bias: full([4], 0.5) };
    const [{ data }] = await arraysOf([groupNorm(full([1, 3, 3, 4], 7), options)]);
    data.forEach((value) => expect(value).toBeCloseTo(0.5, 5));
  });

  test("has the gradients of the plain formula, by central differences", async () => {
    const random = new Random(3);
    const inputs = [random.array([2, 3, 2, 6]), random.array([6]), random.array([6])];
    const error = await gradientError(([x, weight, bias]) => groupNorm(x, { groups: 3, weight, bias }), inputs, random);
    expect(error).toBeLessThan(1e-4);
  });

  test("has the same gradients far from zero as around it", async () => {
    const random = new Random(4);
    const x = random.array([1, 4, 4, 4], "f32", () => Math.round(random.normal() * 64) / 64);
    const weights = literal(random.array([1, 4, 4, 4]));
    const gradientAt = async (centre: number): Promise<number[]> => {
      // Exact in f32: both hold the same differences.
      const moved = literal({ ...x, data: Float32Array.from(x.data, (value) => value + centre) });
      const y = groupNorm(moved, { groups: 2, weight: full([4], 1), bias: full([4], 0) });
      const [{ data }] = await arraysOf(grad(y.multiply(weights).sum(), [moved]));
      return Array.from(data);
    };
    const near = await gradientAt(0);
    const far = await gradientAt(512);
    near.forEach((value, i) => expect(Math.abs(far[i] - value)).toBeLessThan(2e-4));
  });

  test("refuses groups that do not divide the channels, and images of another rank", () => {
    const options = { groups: 4, weight: full([30], 1), bias: full([30], 0) };
    expect(() => groupNorm(full([1, 2, 2, 30], 1), options)).toThrow(
      "groupNorm: channels must be divisible by groups, got 30 and 4",
    );
    expect(() => groupNorm(full([2, 2, 30], 1), options)).toThrow(
      "groupNorm: input must be [batch, height, width, channels], got [2,2,30]",
    );
  });
});
