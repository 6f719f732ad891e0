import { describe, expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import type { Denoiser } from "../denoiser.ts";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { epsilon, sum, x, x0 } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import { registerSampler } from "./registry.ts";

const backend = ReferenceBackend.create();
const model: Denoiser = { channels: 1, forward: (x) => x.multiply(1.5).sin() };
const diffusion = new GaussianDiffusion({ timesteps: 20, objective: "predX0", clipDenoised: false });
const start = new Random(1).array([3, 2, 2, 1]);
const options = { start, steps: 5, timestepSpacing: "trailing", backend } as const;

/** An option that no sampler of ours has. */
const halved = { share: 0.5 };

describe("a sampler that users register", () => {
  test("is known by its name to every diffusion, with the options that it takes", async () => {
    registerSampler("mine", {
      takes: ["share"],
      sampler: (levels, { share = 1 }: { readonly share?: number }) =>
        intervalsOf(levels).map(({ from, to }) => ({
          level: from,
          x: sum([to.alpha * share, x0], [to.sigma, epsilon(from)]),
        })),
    });
    const mine = await diffusion.sample(model, { ...options, sampler: "mine" });
    const ddim = await diffusion.sample(model, { ...options, sampler: "ddim" });
    expect(largestDifference(mine.data, ddim.data)).toBeLessThan(1e-6);
    const half = await diffusion.sample(model, { ...options, sampler: "mine", ...halved });
    expect(largestDifference(half.data, ddim.data)).toBeGreaterThan(0.1);
    expect(new ElucidatedDiffusion().plan({ sampler: "mine", steps: 3 }).steps).toHaveLength(3);
    expect(() => diffusion.plan({ sampler: "ddim", ...halved })).toThrow("ddim: has no share, got 0.5; it is for mine");
    expect(() => registerSampler("mine", { takes: [], sampler: () => [] })).toThrow("there is a sampler mine already");
    expect(() => registerSampler("ddim", { takes: [], sampler: () => [] })).toThrow("there is a sampler ddim already");
    expect(() => diffusion.plan({ sampler: "yours" })).toThrow(/^sampler: must be one of ddpm, .*, mine, got yours$/);
  });

  test("may bound predictions by each image's own largest value, which no combination can", async () => {
    const most = 0.9;
    registerSampler("bounded", {
      takes: [],
      transform: (atHand, [limit]) => {
        const largest = atHand.x0.abs().max([1, 2, 3], true).maximum(limit);
        return { ...atHand, x0: atHand.x0.divide(largest).multiply(limit) };
      },
      sampler: (levels) =>
        intervalsOf(levels).map(({ from, to }) => ({
          level: from,
          x: sum([to.alpha, x0], [to.sigma / from.sigma, x], [(-to.sigma / from.sigma) * from.alpha, x0]),
          numbers: [most],
        })),
    });
    const { steps, data } = await diffusion.sample(model, { ...options, sampler: "bounded", returnSteps: "all" });
    const plan = diffusion.plan({ sampler: "bounded", steps: 5, timestepSpacing: "trailing" });
    let images = Array.from(start.data);
    for (const [i, { level }] of plan.steps.entries()) {
      const to = plan.steps[i + 1]?.level ?? { alpha: 1, sigma: 0 };
      const seen = images.map((value) => Math.sin(1.5 * value));
      images = images.map((value, k) => {
        const image = Math.floor(k / 4);
        const largest = Math.max(most, ...seen.slice(4 * image, 4 * image + 4).map(Math.abs));
        const xStart = (seen[k] / largest) * most;
        return to.alpha * xStart + (to.sigma / level.sigma) * (value - level.alpha * xStart);
      });
      expect(largestDifference(steps[i + 1].images.data, images)).toBeLessThan(1e-5);
    }
    expect(Math.max(...data.map(Math.abs))).toBeCloseTo(most, 5);
  });

  test("must give its transform equally many numbers at every step", () => {
    registerSampler("uneven", {
      takes: [],
      transform: (atHand) => atHand,
      sampler: (levels) =>
        intervalsOf(levels).map(({ from, index }) => ({ level: from, x: x0, numbers: Array(index) })),
    });
    expect(() => diffusion.plan({ sampler: "uneven", steps: 3 })).toThrow(
      "uneven: all steps must give equally many numbers, got 0 and 1",
    );
  });
});
