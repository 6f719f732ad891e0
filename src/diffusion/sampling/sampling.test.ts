import { afterAll, describe, expect, test } from "vitest";
import { selfCondition } from "../../models/conditions/self-condition.ts";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianDenoiser } from "../../../test/support/gaussian-denoiser.ts";
import { Random } from "../../../test/support/random.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { Unet } from "../../models/unet/unet.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { RandomStream } from "../../tensor/random.ts";
import { scalar } from "../../tensor/tensor.ts";
import type { Denoiser } from "../denoiser.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { SamplingProgress } from "./sampling.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());

const [MEAN, DEVIATION] = [0.3, 0.5];
const betas = linearBetaSchedule(200, { betaStart: 5e-4, betaEnd: 0.1 });
const truth = new GaussianDenoiser(betas, MEAN, DEVIATION);
const unclipped = new GaussianDiffusion({ betas, clipDenoised: false });

function moments({ data }: NdArray): { mean: number; deviation: number } {
  const values = Array.from(data);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/** Mean and deviation that Algorithm 2 reaches with the true network: each step is x -> a x + b + sigma z. */
function ancestralMoments(): { mean: number; deviation: number } {
  const { schedule } = unclipped;
  let [mean, variance] = [0, 1];
  for (let t = betas.length - 1; t >= 0; t--) {
    const [beta, alpha, abar] = [schedule.betas[t], schedule.alphas[t], schedule.alphasCumprod[t]];
    // noise = slope (x - sqrt(abar) m), times beta / sqrt(1 - abar).
    const gain = beta / (abar * DEVIATION ** 2 + 1 - abar);
    mean = (mean - gain * (mean - Math.sqrt(abar) * MEAN)) / Math.sqrt(alpha);
    variance = (variance * (1 - gain) ** 2) / alpha + schedule.posteriorVariance[t];
  }
  return { mean, deviation: Math.sqrt(variance) };
}

describe("samples of normal pixels, whose best network is known", () => {
  const options = { batchSize: 1, imageSize: 50, seed: 1, backend };
  // Four standard errors of mean and deviation over 2,500 pixels.
  const meanError = (4 * DEVIATION) / Math.sqrt(2500);
  const deviationError = meanError / Math.SQRT2;

  test("by DDPM have the mean and deviation that Algorithm 2 leads to, near the data's", async () => {
    const sampled = moments(await unclipped.pSampleLoop(truth, options));
    const exact = ancestralMoments();
    expect(Math.abs(sampled.mean - exact.mean)).toBeLessThan(meanError);
    expect(Math.abs(sampled.deviation - exact.deviation)).toBeLessThan(deviationError);
    expect(Math.abs(exact.mean - MEAN)).toBeLessThan(0.01);
    expect(Math.abs(exact.deviation - DEVIATION)).toBeLessThan(0.02);
  });

  test("by DDIM without noise have the data's mean and deviation", async () => {
    const sampled = moments(await unclipped.ddimSample(truth, { ...options, eta: 0 }));
    expect(Math.abs(sampled.mean - MEAN)).toBeLessThan(meanError + 0.01);
    expect(Math.abs(sampled.deviation - DEVIATION)).toBeLessThan(deviationError + 0.01);
  });

  test("by DDIM follow from the start: x_0 = m + s (x_T - sqrt(abar) m) / sqrt(abar s^2 + 1 - abar)", async () => {
    const start = new Random(2).array([1, 4, 4, 1]);
    const { data } = await unclipped.ddimSample(truth, { ...options, batchSize: 1, imageSize: 4, start });
    const abar = unclipped.schedule.alphasCumprod[199];
    const spread = Math.sqrt(abar * DEVIATION ** 2 + 1 - abar);
    const exact = start.data.map((x) => MEAN + (DEVIATION * (x - Math.sqrt(abar) * MEAN)) / spread);
    // 200 steps of the ODE's first-order solver.
    expect(largestDifference(data, exact)).toBeLessThan(0.02);
  });

  test("by DDIM with eta 1 and all steps are those of DDPM", async () => {
    const few = { ...options, batchSize: 2, imageSize: 8 };
    const ddpm = await unclipped.pSampleLoop(truth, few);
    const ddim = await unclipped.ddimSample(truth, { ...few, eta: 1 });
    expect(largestDifference(ddim.data, ddpm.data)).toBeLessThan(1e-4);
  });

  test("by DDIM with eta 1 and clipping are those of DDPM with clipping", async () => {
    const clipped = new GaussianDiffusion({ betas });
    const few = { ...options, batchSize: 2, imageSize: 8 };
    const ddpm = await clipped.pSampleLoop(truth, few);
    const ddim = await clipped.ddimSample(truth, { ...few, eta: 1 });
    expect(largestDifference(ddim.data, ddpm.data)).toBeLessThan(1e-4);
    expect(Math.max(...ddpm.data.map(Math.abs))).toBe(1);
  });

  test("by DDIM with a tenth of the steps are close to those with all", async () => {
    const stream = new RandomStream([scalar(1, "u32"), scalar(2 ** 32 - 1, "u32")]);
    const few = { ...options, imageSize: 8, start: await evaluate(() => stream.normal([1, 8, 8, 1])) };
    const all = await unclipped.ddimSample(truth, few);
    const tenth = await unclipped.ddimSample(truth, { ...few, steps: 20 });
    expect(largestDifference(tenth.data, all.data)).toBeLessThan(0.15);
  });
});

describe("sampling", () => {
  const short = new GaussianDiffusion({ timesteps: 10 });
  const options = { batchSize: 3, imageSize: [2, 4], seed: 7, backend } as const;

  test("returns images [batch, height, width, channels] of f32", async () => {
    const images = await short.sample(truth10, options);
    expect(images).toMatchObject({ shape: [3, 2, 4, 1], dtype: "f32", steps: [] });
    expect(images.data).toHaveLength(24);
  });

  test("follows from the seed, image by image", async () => {
    const three = await short.sample(truth10, options);
    expect((await short.sample(truth10, options)).data).toEqual(three.data);
    const two = await short.sample(truth10, { ...options, batchSize: 2 });
    expect(two.data).toEqual(three.data.slice(0, 16));
    expect((await short.sample(truth10, { ...options, seed: 8 })).data).not.toEqual(three.data);
  });

  test("returns the steps that were asked for", async () => {
    const all = await short.sample(truth10, { ...options, returnSteps: "all" });
    expect(all.steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(all.steps[10].images.data).toEqual(all.data);
    const some = await short.sample(truth10, { ...options, returnSteps: [0, 5] });
    expect(some.steps).toEqual([all.steps[0], all.steps[5]]);
    // What it starts from is noise: the same for every number of steps.
    const ddim = await short.sample(truth10, { ...options, steps: 4, returnSteps: [0] });
    expect(ddim.steps[0].images.data).toEqual(all.steps[0].images.data);
  });

  test("asks the network at equal distances, with the noisiest timestep first", async () => {
    const visited: number[][] = [];
    for (const steps of [10, 5, 3]) {
      const seen: number[] = [];
      await short.sample(truth10, { ...options, steps, onStep: ({ timestep }) => void seen.push(timestep) });
      visited.push(seen);
    }
    expect(visited).toEqual([
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
      [9, 7, 5, 3, 1],
      [9, 6, 2],
    ]);
  });

  test("reports each step and waits for the report", async () => {
    const reports: SamplingProgress[] = [];
    let waiting = false;
    const onStep = async (progress: SamplingProgress): Promise<void> => {
      expect(waiting).toBe(false);
      waiting = true;
      await new Promise((resolve) => setTimeout(resolve, 1));
      waiting = false;
      reports.push(progress);
    };
    const images = await short.sample(truth10, { ...options, onStep });
    expect(reports.map(({ step, steps }) => [step, steps])).toEqual(Array.from({ length: 10 }, (_, i) => [i + 1, 10]));
    expect(reports[9].images.data).toEqual(images.data);
    // The last step of Algorithm 2 ends at the predicted images.
    expect(largestDifference(reports[9].xStart.data, images.data)).toBeLessThan(1e-6);
  });

  test("stops between steps when it is aborted", async () => {
    const controller = new AbortController();
    let steps = 0;
    const onStep = ({ step }: SamplingProgress): void => {
      steps = step;
      if (step === 3) controller.abort(new Error("enough"));
    };
    const run = short.sample(truth10, { ...options, onStep, signal: controller.signal });
    await expect(run).rejects.toThrow("enough");
    expect(steps).toBe(3);
  });

  test("feeds each prediction of the images to a network with self-condition", async () => {
    // This network answers with noise that would turn its self-condition plus 0.01 into x.
    const process = new GaussianDiffusion({ timesteps: 10, objective: "predX0" });
    const counting: Denoiser = {
      channels: 1,
      conditions: selfCondition,
      forward: (_x, _t, { selfCondition } = {}) => {
        if (!selfCondition) throw new Error("the self-condition is missing");
        return selfCondition.add(0.01);
      },
    };
    const seen: number[] = [];
    await process.sample(counting, { ...options, onStep: ({ xStart }) => void seen.push(xStart.data[0]) });
    expect(largestDifference(seen, [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1])).toBeLessThan(1e-6);
  });

  test("runs a U-Net, and keeps clipped images within [-1, 1]", async () => {
    const model = new Unet({ dim: 8, channels: 3, dimMults: [1, 2], attentionHeads: 1, attentionDimHead: 4 });
    const images = await short.sample(model, { ...options, steps: 3 });
    expect(images.shape).toEqual([3, 2, 4, 3]);
    expect(Math.max(...images.data.map(Math.abs))).toBeLessThanOrEqual(1);
  });

  test("picks DDIM when fewer steps than timesteps are asked for", async () => {
    const shortcut = new GaussianDiffusion({ timesteps: 10, samplingTimesteps: 4, ddimSamplingEta: 0.5 });
    const images = await shortcut.sample(truth10, options);
    const explicit = await short.ddimSample(truth10, { ...options, steps: 4, eta: 0.5 });
    expect(images.data).toEqual(explicit.data);
    const ancestral = await shortcut.sample(truth10, { ...options, sampler: "ddpm" });
    expect(ancestral.data).toEqual((await short.pSampleLoop(truth10, options)).data);
  });

  test("says in one line what it cannot do", async () => {
    const sample = (more: object): Promise<unknown> => short.sample(truth10, { ...options, ...more });
    await expect(sample({ steps: 11 })).rejects.toThrow("ddim: steps must be a whole number from 1 to 10, got 11");
    await expect(sample({ steps: 0 })).rejects.toThrow("ddim: steps must be a whole number from 1 to 10, got 0");
    await expect(sample({ sampler: "ddpm", steps: 11 })).rejects.toThrow(
      "ddpm: steps must be a whole number from 1 to 10",
    );
    await expect(sample({ sampler: "plms" })).rejects.toThrow("sampler: must be one of ddpm, ddim, pndm, deis,");
    await expect(sample({ sampler: "ddpm", eta: 1 })).rejects.toThrow("ddpm: has no eta, got 1; it is for ddim,");
    await expect(sample({ steps: 5, eta: 2 })).rejects.toThrow("ddim: eta must be from 0 to 1, got 2");
    await expect(sample({ seed: -1 })).rejects.toThrow("seed: must be a whole number from 0 to 4294967295, got -1");
    await expect(sample({ imageSize: 0 })).rejects.toThrow("height must be a whole number of at least 1, got 0");
    await expect(sample({ returnSteps: [11] })).rejects.toThrow(
      "returnSteps must be whole numbers from 0 to 10, got 11",
    );
    const start = ndarray([0], [1, 1, 1, 1]);
    await expect(sample({ start })).rejects.toThrow("start must be f32 [3,2,4,1], got f32 [1,1,1,1]");
    await expect(short.pSample(truth10, start, 10, { backend })).rejects.toThrow(
      "t must be a whole number from 0 to 9, got 10",
    );
  });
});

const truth10 = new GaussianDenoiser(linearBetaSchedule(10), MEAN, DEVIATION);
