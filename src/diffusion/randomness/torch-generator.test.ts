import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { torchGenerator } from "./torch-generator.ts";
import type { TorchGenerator } from "./torch-generator.ts";

interface Kept {
  readonly count: number;
  readonly stride: number;
  readonly values: readonly number[];
  readonly end: readonly number[];
}

/** What test/fixtures/torch-generator/generate.py recorded, on a processor with AVX-512. */
const { draws, succession, others } = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/torch-generator/torch-generator.json", import.meta.url), "utf8"),
) as {
  readonly draws: readonly { readonly seed: string; readonly randn: Kept }[];
  readonly succession: readonly Kept[];
  readonly others: {
    readonly rand: readonly number[];
    readonly randint: readonly number[];
    readonly randn: readonly number[];
  };
};

function expectDrawn(generator: TorchGenerator, { count, stride, values, end }: Kept): void {
  const drawn = [...generator.randn(count)];
  expect(drawn).toHaveLength(count);
  expect(drawn.filter((_, i) => i % stride === 0)).toEqual(values);
  expect(drawn.slice(count - end.length)).toEqual(end);
}

describe("torchGenerator draws PyTorch's numbers to the last bit", () => {
  test.each(draws.map(({ seed, randn }) => [randn.count, seed, randn] as const))(
    "%i normal ones of seed %s",
    (_, seed, randn) => {
      expectDrawn(torchGenerator(BigInt(seed)), randn);
    },
  );

  test("draw after draw of one generator, of fewer than a block and of more", () => {
    const generator = torchGenerator(7);
    for (const draw of succession) expectDrawn(generator, draw);
  });

  test("uniform ones, whole ones and normal ones after each other", () => {
    const generator = torchGenerator(3);
    expect([...generator.rand(20)]).toEqual(others.rand);
    expect([...generator.randint(1000, 20)]).toEqual(others.randint);
    expect([...generator.randn(20)]).toEqual(others.randn);
  });
});

test("a seed counts by its lowest 32 bits, and what is none is refused in one line", () => {
  expect(torchGenerator(5).randn(20)).toEqual(torchGenerator(2 ** 32 + 5).randn(20));
  expect(torchGenerator(-1).randn(20)).toEqual(torchGenerator(2 ** 32 - 1).randn(20));
  for (const seed of [0.5, NaN, 2n ** 64n, -(2n ** 63n) - 1n]) {
    expect(() => torchGenerator(seed)).toThrow(
      `torchGenerator: seed must be a whole number from -2^63 to 2^64 - 1, got ${seed}`,
    );
  }
  expect(() => torchGenerator(0).randn(-1)).toThrow("must draw a whole number of at least 0, got -1");
  expect(() => torchGenerator(0).randint(0, 1)).toThrow("randint: limit must be a whole number from 1");
});

test("normal numbers are as far apart as they should be", () => {
  const values = torchGenerator(11).randn(100_000);
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.01);
  expect(Math.abs(variance - 1)).toBeLessThan(0.015);
});
