import { describe, expect, test } from "vitest";
import { lowresCondition } from "../../models/conditions/lowres.ts";
import { classCondition } from "../../models/conditions/classes.ts";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import type { Conditions } from "../../models/conditions/declaration.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { resizeBilinear } from "../../tensor/functions/resize.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Denoiser } from "../denoiser.ts";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";

const backend = ReferenceBackend.create();
const random = new Random(3);
const small = random.array([2, 3, 3, 1]);
const options = { lowresCondImg: small, imageSize: 6, steps: 2, sampler: "ddim", seed: 4, backend } as const;

/** What a stage is shown besides the noisy images. */
interface Shown {
  readonly lowresCondImg: Tensor;
  readonly lowresNoiseTimes: Tensor;
}

/** Sees in noise what it is shown in less resolution, or what it is told of that. */
class Stage implements Denoiser {
  readonly channels = 1;
  readonly conditions = { ...lowresCondition, ...classCondition(3) };
  readonly #answer: (shown: Shown) => Tensor;

  constructor(answer = ({ lowresCondImg }: Shown): Tensor => lowresCondImg) {
    this.#answer = answer;
  }

  forward(x: Tensor, _t: Tensor, { lowresCondImg, lowresNoiseTimes }: Conditions = {}): Tensor {
    if (!lowresCondImg || !lowresNoiseTimes) throw new Error("Stage: is shown nothing");
    return this.#answer({ lowresCondImg, lowresNoiseTimes }).broadcastTo(x.shape);
  }
}

const diffusion = () =>
  new GaussianDiffusion({ timesteps: 101, scaleBetas: true, objective: "predX0", clipDenoised: false });
/** The noise of imagen-pytorch at a time: log(SNR) = -log(expm1(1e-4 + 10 t^2)). */
const rhoAt = (time: number) => Math.sqrt(Math.expm1(1e-4 + 10 * time ** 2));
/** The timestep whose noise is nearest to that. */
const timestepAt = (time: number) => {
  const distances = [...diffusion().schedule.alphasCumprod].map((abar) =>
    Math.abs(Math.log(Math.sqrt((1 - abar) / abar) / rhoAt(time))),
  );
  return distances.indexOf(Math.min(...distances));
};

describe("a stage of a cascade", () => {
  test("is shown images of less resolution, scaled up, in the noise that it is told", async () => {
    const scaled = await evaluate((x) => resizeBilinear(x, 6, 6), small);
    const { schedule } = diffusion();
    const noiseAt = async (level: number | undefined): Promise<number[]> => {
      const shown = await diffusion().sample(new Stage(), { ...options, lowresSampleNoiseLevel: level });
      expect(shown.shape).toEqual([2, 6, 6, 1]);
      const abar = schedule.alphasCumprod[timestepAt(level ?? 0.2)];
      return Array.from(shown.data, (value, i) => (value - Math.sqrt(abar) * scaled.data[i]) / Math.sqrt(1 - abar));
    };
    const [little, usual, much] = [await noiseAt(0), await noiseAt(undefined), await noiseAt(0.7)];
    // The same normal numbers at each level.
    expect(largestDifference(little, usual)).toBeLessThan(1e-3);
    expect(largestDifference(much, usual)).toBeLessThan(1e-4);
    const deviation = Math.sqrt(usual.reduce((sum, z) => sum + z * z, 0) / usual.length);
    expect(Math.abs(deviation - 1)).toBeLessThan(0.25);
    // They are not those of the start.
    const [{ images: start }] = (await diffusion().sample(new Stage(), { ...options, returnSteps: [0] })).steps;
    expect(largestDifference(usual, start.data)).toBeGreaterThan(0.5);
  });

  test("is told the noise of that", async () => {
    const times = new Stage((told) => told.lowresNoiseTimes.convert("f32").reshape([2, 1, 1, 1]));
    const told = async (level: number) =>
      (await diffusion().sample(times, { ...options, lowresSampleNoiseLevel: level })).data;
    expect(new Set(await told(0))).toEqual(new Set([0]));
    for (const level of [0.2, 0.7, 1]) {
      expect(new Set(await told(level))).toEqual(new Set([timestepAt(level)]));
      expect(Math.abs(timestepAt(level) - 100 * level)).toBeLessThan(5);
    }
  });

  test.each([0, 0.2, 0.5, 1])("is shown the same noise at %d, whatever the diffusion", async (level) => {
    const noisy = (shown: Tensor, t: Tensor) => shown.multiply(0).add(t.convert("f32").reshape([2, 1, 1, 1]));
    const stage = new Stage(({ lowresCondImg, lowresNoiseTimes }) => noisy(lowresCondImg, lowresNoiseTimes));
    const edm = new ElucidatedDiffusion({ sigmaData: 1, clipDenoised: false });
    // With sigmaData 1, D(X) is X / (rho^2 + 1) + rho / sqrt(rho^2 + 1) F, and F is the time that it is told.
    const { data } = await edm.sample(stage, { ...options, steps: 1, sampler: "euler", lowresSampleNoiseLevel: level });
    const start = (await edm.sample(stage, { ...options, steps: 1, sampler: "euler", returnSteps: [0] })).steps[0]
      .images;
    const times = data.map((x, i) => (x - (80 * start.data[i]) / Math.hypot(80, 1) / 80) / (80 / Math.hypot(80, 1)));
    expect(largestDifference(times, new Float32Array(72).fill(Math.log(rhoAt(level)) / 4))).toBeLessThan(0.02);
    const { alphasCumprod } = new GaussianDiffusion({ timesteps: 1000 }).schedule;
    const timesteps = new Stage(({ lowresCondImg, lowresNoiseTimes }) => noisy(lowresCondImg, lowresNoiseTimes));
    const gaussian = new GaussianDiffusion({ timesteps: 1000, objective: "predX0", clipDenoised: false });
    const told = await gaussian.sample(timesteps, { ...options, lowresSampleNoiseLevel: level });
    const abar = alphasCumprod[Math.round(told.data[0])];
    expect(Math.abs(Math.log(Math.sqrt((1 - abar) / abar) / rhoAt(level)))).toBeLessThan(0.06);
  });

  test("is shown the same where it is guided to a class", async () => {
    const plain = await diffusion().sample(new Stage(), options);
    const guided = await diffusion().sample(new Stage(), { ...options, classes: [1, 2], condScale: 3 });
    expect(largestDifference(guided.data, plain.data)).toBeLessThan(1e-6);
  });

  test("has levels without timesteps too", async () => {
    const edm = new ElucidatedDiffusion({ clipDenoised: false });
    // F of D(X) = c_skip X + c_out F with rho = 80 is about 2 x_0, where sigmaData is 0.5.
    const { data } = await edm.sample(new Stage(), {
      ...options,
      steps: 1,
      sampler: "euler",
      lowresSampleNoiseLevel: 0,
    });
    const scaled = await evaluate((x) => resizeBilinear(x, 6, 6), small);
    expect(
      largestDifference(
        data,
        scaled.data.map((x) => x / 2),
      ),
    ).toBeLessThan(0.02);
  });

  test("draws from nothing else, and others take no such images, in one line", async () => {
    const stage = new Stage();
    const plain: Denoiser = { channels: 1, forward: (x) => x };
    const sample = (model: Denoiser, more: object) => diffusion().sample(model, { ...options, ...more });
    await expect(sample(plain, {})).rejects.toThrow("got a lowresCondImg, but the model was made without lowresCond");
    await expect(sample(stage, { lowresCondImg: undefined })).rejects.toThrow(
      "sample: a model with lowresCond needs a lowresCondImg",
    );
    await expect(sample(stage, { batchSize: 3 })).rejects.toThrow(
      "sample: lowresCondImg must be f32 [3,height,width,1], got f32 [2,3,3,1]",
    );
    await expect(sample(stage, { lowresSampleNoiseLevel: 1.5 })).rejects.toThrow(
      "sample: lowresSampleNoiseLevel must be from 0 to 1, got 1.5",
    );
    const images = ndarray(new Float32Array(16), [1, 4, 4, 1]);
    await expect(diffusion().invert(stage, images)).rejects.toThrow("invert: is not for a model with lowresCond");
    await expect(diffusion().pSample(stage, images, 3)).rejects.toThrow("pSample: is not for a model with lowresCond");
  });
});
