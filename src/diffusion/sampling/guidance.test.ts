import { afterAll, describe, expect, test } from "vitest";
import { classCondition } from "../../models/conditions/classes.ts";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianDenoiser } from "../../../test/support/gaussian-denoiser.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { scalar } from "../../tensor/tensor.ts";
import type { Denoiser } from "../denoiser.ts";
import type { Objective } from "../objectives/objective.ts";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { guidedPrediction } from "./guidance.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backends = [ReferenceBackend.create(), await createWasmBackend({ threads: 1 })] as const;
const [, wasm] = backends;
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const betas = linearBetaSchedule(1000);

describe("a guided prediction", () => {
  const [conditional, unconditional] = [new Random(1).array([2, 2, 3, 1]), new Random(2).array([2, 2, 3, 1])];
  const guided = (condScale: number, phi = 0) =>
    evaluate((c, u) => guidedPrediction(c, u, scalar(condScale), scalar(phi)), conditional, unconditional);
  const expected = (condScale: number) =>
    unconditional.data.map((value, i) => value + condScale * (conditional.data[i] - value));

  test.each([0, 0.5, 1, 3])("is e + s (e(c) - e) for scale %f, equation 6 with s = 1 + w", async (condScale) => {
    expect(largestDifference((await guided(condScale)).data, expected(condScale))).toBeLessThan(1e-6);
  });

  test("has, rescaled, a share of each image's own deviation", async () => {
    const { data } = await guided(4, 0.7);
    const deviation = (values: ArrayLike<number>) => {
      const mean = Array.from(values).reduce((a, b) => a + b, 0) / values.length;
      return Math.sqrt(Array.from(values).reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    };
    for (const image of [0, 1]) {
      const of = (values: ArrayLike<number>) => Array.from(values).slice(image * 6, image * 6 + 6);
      const plain = of(expected(4));
      const ratio = deviation(of(conditional.data)) / deviation(plain);
      const wanted = plain.map((x) => 0.7 * x * ratio + 0.3 * x);
      expect(largestDifference(of(data), wanted)).toBeLessThan(1e-5);
    }
  });
});

describe("guidance between normal distributions of one deviation", () => {
  const [DEVIATION, EVERYTHING, CLASSES] = [0.3, 0.1, [-0.2, 0.25]] as const;
  const everything = new GaussianDenoiser(betas, EVERYTHING, DEVIATION);
  const classes = CLASSES.map((mean) => new GaussianDenoiser(betas, mean, DEVIATION));
  const process = (objective: Objective) => new GaussianDiffusion({ betas, objective, clipDenoised: false });
  const byNoise = process("predNoise");

  /** Knows the noise of each class and of everything, and says so in the words of an objective. */
  function network(diffusion: GaussianDiffusion): Denoiser {
    return {
      channels: 1,
      conditions: classCondition(2),
      forward: (x, t, { classes: asked } = {}) => {
        const [first, second] = classes.map((one) => one.forward(x, t));
        const isFirst = asked?.compare("eq", 0).reshape([x.shape[0], 1, 1, 1]);
        const noise = isFirst ? isFirst.select(first, second) : everything.forward(x, t);
        return diffusion.target(byNoise.predictXStart(x, t, noise), t, noise);
      },
    };
  }

  // The score is linear in the mean, so the guided one is that of the normal distribution around m + s (m(c) - m).
  const cases = [
    ["ddim", "predNoise", 3],
    ["dpmSolver++2M", "predX0", 2.5],
    ["euler", "predV", 3],
    ["ddpm", "predNoise", 2],
  ] as const;
  test.each(cases)("draws from the one beyond the class: %s, %s, scale %f", async (sampler, objective, condScale) => {
    const diffusion = process(objective);
    const images = await diffusion.sample(network(diffusion), {
      classes: [0, 1],
      condScale,
      rescaledPhi: undefined,
      sampler,
      steps: sampler === "ddpm" ? 200 : 50,
      imageSize: 50,
      seed: 1,
      backend: wasm,
    });
    diffusion.dispose();
    for (const [i, classMean] of CLASSES.entries()) {
      const pixels = Array.from(images.data.subarray(i * 2500, (i + 1) * 2500));
      const mean = pixels.reduce((a, b) => a + b, 0) / 2500;
      const deviation = Math.sqrt(pixels.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2500);
      // Four standard errors, and what the solver's steps leave.
      const error = (4 * DEVIATION) / Math.sqrt(2500);
      expect(Math.abs(mean - (EVERYTHING + condScale * (classMean - EVERYTHING)))).toBeLessThan(error + 0.01);
      expect(Math.abs(deviation - DEVIATION)).toBeLessThan(error + 0.01);
    }
  });

  test("draws from the one beyond the class by EDM's network too", async () => {
    const edm = new ElucidatedDiffusion({ sigmaData: DEVIATION, clipDenoised: false });
    // F of D(X) = (s^2 X + rho^2 m) / (s^2 + rho^2): with sigmaData = s, c_skip X is the first part.
    const network: Denoiser = {
      channels: 1,
      conditions: classCondition(2),
      forward: (x, t, { classes: asked } = {}) => {
        const rho = t.multiply(4).exp().reshape([x.shape[0], 1, 1, 1]);
        const isFirst = asked?.compare("eq", 0).reshape([x.shape[0], 1, 1, 1]);
        const mean = isFirst ? isFirst.select(CLASSES[0], CLASSES[1]) : EVERYTHING;
        const size = rho
          .square()
          .add(DEVIATION ** 2)
          .sqrt();
        return rho
          .divide(size)
          .multiply(mean)
          .multiply(1 / DEVIATION)
          .broadcastTo(x.shape);
      },
    };
    const images = await edm.sample(network, {
      classes: [0, 1],
      condScale: 2.5,
      imageSize: 50,
      seed: 1,
      backend: wasm,
    });
    edm.dispose();
    for (const [i, classMean] of CLASSES.entries()) {
      const mean = Array.from(images.data.subarray(i * 2500, (i + 1) * 2500)).reduce((a, b) => a + b, 0) / 2500;
      const error = (4 * DEVIATION) / Math.sqrt(2500);
      expect(Math.abs(mean - (EVERYTHING + 2.5 * (classMean - EVERYTHING)))).toBeLessThan(error + 0.01);
    }
  });

  test("goes step by step by pSample as pSampleLoop goes", async () => {
    const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(6), clipDenoised: false });
    const options = { classes: [1, 0], condScale: 2, seed: 9, backend: wasm } as const;
    const all = await diffusion.pSampleLoop(network(diffusion), { ...options, imageSize: 2, returnSteps: "all" });
    let x = all.steps[0].images;
    for (let t = 5; t >= 0; t--) {
      x = await diffusion.pSample(network(diffusion), x, t, options);
      expect(x.data).toEqual(all.steps[6 - t].images.data);
    }
    diffusion.dispose();
  });

  test.each(backends)(
    "takes other scales, shares and classes in the same program on the $name backend",
    async (backend) => {
      let traced = 0;
      const diffusion = process("predNoise");
      const known = network(diffusion);
      const counted: Denoiser = { ...known, forward: (...inputs) => (traced++, known.forward(...inputs)) };
      const draw = (options: { classes: number[]; condScale?: number; rescaledPhi?: number }) =>
        diffusion.sample(counted, { ...options, sampler: "ddim", steps: 4, imageSize: 2, seed: 5, backend });
      const [a, b] = [await draw({ classes: [0, 1], condScale: 2 }), await draw({ classes: [1, 1], condScale: 3 })];
      expect(traced).toBe(2);
      expect(b.data.slice(4)).not.toEqual(a.data.slice(4));
      const fresh = process("predNoise");
      const again = await fresh.sample(network(fresh), {
        classes: [1, 1],
        condScale: 3,
        sampler: "ddim",
        steps: 4,
        imageSize: 2,
        seed: 5,
        backend,
      });
      expect(b.data).toEqual(again.data);
      const [one, rescaled] = [
        await draw({ classes: [0, 1], condScale: 1 }),
        await draw({ classes: [1, 1], condScale: 3, rescaledPhi: 0.5 }),
      ];
      expect(traced).toBe(2);
      expect(rescaled.data).not.toEqual(again.data);
      // Without guidance it asks once, and that gives what scale 1 gives.
      expect((await draw({ classes: [0, 1] })).data).toEqual(one.data);
      expect(traced).toBe(3);
      diffusion.dispose();
      fresh.dispose();
    },
  );

  test("says in one line what it cannot do", async () => {
    const diffusion = process("predNoise");
    const sample = (options: object) =>
      diffusion.sample(network(diffusion), { imageSize: 2, backend: wasm, ...options });
    await expect(sample({ batchSize: 2, condScale: 3 })).rejects.toThrow(
      "sample: condScale 3 guides towards conditions, such as classes, but none are given",
    );
    await expect(sample({ classes: [0], condScale: NaN })).rejects.toThrow(
      "sample: condScale must be a number, got NaN",
    );
    await expect(sample({ classes: [0], condScale: 2, rescaledPhi: 1.5 })).rejects.toThrow(
      "sample: rescaledPhi must be from 0 to 1, got 1.5",
    );
    await expect(sample({ classes: [0, 2] })).rejects.toThrow(
      "sample: classes must be whole numbers from 0 to 1, got 2",
    );
    await expect(sample({ classes: [0.5] })).rejects.toThrow(
      "sample: classes must be whole numbers from 0 to 1, got 0.5",
    );
    await expect(sample({ classes: [0], batchSize: 2 })).rejects.toThrow("needs 2 classes for as many images, got 1");
    await expect(diffusion.sample(everything, { classes: [0], imageSize: 2, backend: wasm })).rejects.toThrow(
      "sample: got classes, which the model was not made for",
    );
  });
});
