import { describe, expect, test } from "vitest";
import { Random } from "../../test/support/random.ts";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { scalar } from "../tensor/tensor.ts";
import { ImportanceSampler } from "./importance-sampler.ts";

const backend = ReferenceBackend.create();

/** A sampler, and its steps on the device. */
function started(timesteps: number) {
  const sampler = new ImportanceSampler(timesteps);
  const draw = compile(backend, ({ key }) => ({
    outputs: sampler.draw(new RandomStream([key, scalar(0, "u32")]), 4000),
  }));
  const record = compile(backend, ({ t, losses }) => {
    const recorded = sampler.record(t, losses);
    return { outputs: {}, updates: [...recorded, sampler.refresh(recorded)] };
  });
  const remember = async (t: readonly number[], losses: readonly number[]) => {
    await record({ t: ndarray(Int32Array.from(t), [t.length]), losses: ndarray(losses, [losses.length]) });
  };
  const drawn = async (seed: number) => {
    const { t, weights } = await draw({ key: ndarray([seed], [], "u32") });
    const counts = new Array<number>(timesteps).fill(0);
    for (const value of t.data) counts[value]++;
    return { t: [...t.data], weights: [...weights.data], counts };
  };
  const lossesOf = async () => [...((await sampler.state().get("schedule_sampler.losses")?.read()) ?? [])];
  return { sampler, remember, drawn, lossesOf };
}

/** Chi-squared of counts against shares; of k bins it is about k - 1 with a deviation of sqrt(2 (k - 1)). */
function chiSquared(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b);
  return counts.reduce((sum, count, i) => sum + (count - total * shares[i]) ** 2 / (total * shares[i]), 0);
}

describe("importance sampling of timesteps", () => {
  test("is uniform until every timestep has had ten losses", async () => {
    const { remember, drawn } = started(5);
    for (let round = 0; round < 9; round++) await remember([0, 1, 2, 3, 4], [1, 2, 3, 4, 100]);
    await remember([0, 1, 2, 3], [1, 2, 3, 4]);
    const { counts, weights } = await drawn(1);
    expect(chiSquared(counts, new Array<number>(5).fill(0.2))).toBeLessThan(18.5);
    for (const weight of weights) expect(weight).toBeCloseTo(1, 5);
  });

  test("then goes by the root of the mean square of the last ten, and weighs so that the mean stays", async () => {
    const { remember, drawn } = started(3);
    for (let round = 0; round < 4; round++) await remember([2, 1, 0], [50, 50, 50]);
    for (let round = 0; round < 5; round++) await remember([0, 0, 1, 1, 2, 2], [3, 4, 1, 1, 0, 0]);
    const roots = [Math.sqrt(12.5), 1, 0];
    const total = roots[0] + roots[1];
    const shares = roots.map((root) => (0.999 * root) / total + 0.001 / 3);
    const { t, weights, counts } = await drawn(2);
    expect(chiSquared(counts, shares)).toBeLessThan(13.8);
    for (const [i, timestep] of t.entries()) expect(weights[i] * 3 * shares[timestep]).toBeCloseTo(1, 3);
  });

  test("remembers the last ten, of a batch with more of one timestep too", async () => {
    const { remember, lossesOf } = started(4);
    const random = new Random(5);
    const history: number[][] = [[], [], [], []];
    for (let round = 0; round < 12; round++) {
      const t = Array.from({ length: 17 }, () => (random.chance(0.8) ? 2 : random.integer(0, 3)));
      const losses = t.map(() => Math.fround(random.float()));
      for (const [i, timestep] of t.entries()) history[timestep].push(losses[i]);
      await remember(t, losses);
    }
    const kept = await lossesOf();
    for (const [t, all] of history.entries()) {
      const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
      const row = kept.slice(10 * t, 10 * (t + 1));
      expect(sorted(row)).toEqual(sorted([...all.slice(-10), ...new Array<number>(10).fill(0)].slice(0, 10)));
    }
  });
});
