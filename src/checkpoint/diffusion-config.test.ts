import { describe, expect, test } from "vitest";
import { Diffusion } from "../diffusion/diffusion.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { RectifiedFlow } from "../diffusion/rectified-flow.ts";
import { ScoreDiffusion } from "../diffusion/score-diffusion.ts";
import { betasOf, diffusionConfigOf, diffusionOfConfig, diffusionSettings } from "./diffusion-config.ts";
import { check } from "../config/rules.ts";

describe("the settings of a diffusion", () => {
  test.each([
    ["gaussian", new GaussianDiffusion({ timesteps: 20, betaSchedule: "cosine", objective: "predV", minSnrGamma: 3 })],
    [
      "gaussian",
      new GaussianDiffusion({ timesteps: 9, varianceType: "learnedRange", lossType: "vlb", vbLossWeight: 0.1 }),
    ],
    [
      "gaussian",
      new GaussianDiffusion({ timesteps: 9, samplingTimesteps: 5, ddimSamplingEta: 0.5, clipDenoised: false }),
    ],
    ["edm", new ElucidatedDiffusion({ sigmaData: 0.3, pMean: -0.4, pStd: 1, sigmaMax: 60, samplingTimesteps: 25 })],
    ["score", new ScoreDiffusion()],
    [
      "gaussian",
      new GaussianDiffusion({ timesteps: 9, sampling: { sampler: "uniPC", steps: 5, finalOrders: [2, 1] } }),
    ],
    ["edm", new ElucidatedDiffusion({ sampling: { sampler: "edm", steps: 9, sigmaMax: 60, sChurn: 10 } })],
    ["score", new ScoreDiffusion({ sampling: { sampler: "annealedLangevin", langevinSteps: 5 } })],
    ["rectifiedFlow", new RectifiedFlow({ sampling: { sampler: "heun", timestepSpacing: "karras" } })],
    ["score", new ScoreDiffusion({ sde: "vp", betaMax: 10, samplingTimesteps: 50 })],
    ["rectifiedFlow", new RectifiedFlow()],
    [
      "rectifiedFlow",
      new RectifiedFlow({ timeDistribution: "logitNormal", logitMean: 0.5, shift: 3, clipDenoised: false }),
    ],
  ] as const)("make the same %s one again", (kind, diffusion) => {
    const config = diffusionConfigOf(diffusion);
    expect(config.kind).toBe(kind);
    const read = check(diffusionSettings, JSON.parse(JSON.stringify(config)), "config");
    expect(diffusionOfConfig(read, betasOf(diffusion))).toEqual(diffusion);
  });

  test("are read from files of the time when there was one kind with a fixed variance", () => {
    const old = {
      timesteps: 10,
      lossType: "huber",
      objective: "predNoise",
      clipDenoised: true,
      samplingTimesteps: 10,
      ddimSamplingEta: 0,
    };
    const config = check(diffusionSettings, old, "config");
    const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "huber" });
    expect(diffusionOfConfig(config, diffusion.schedule.betas)).toEqual(diffusion);
  });

  test.each([
    [{ steps: 10 }, "sampler must be given"],
    [{ sampler: "ddim", stepz: 10 }, "has no option stepz, did you mean steps?"],
    [{ sampler: "ddim", steps: "10" }, 'steps must be a number, got "10"'],
    [
      { sampler: "lms", order: Infinity },
      "order must be a finite number, a list of them, a word, true or false, got Infinity",
    ],
    ["ddim", 'options must be an object, got "ddim"'],
  ])("refuse to draw by %j in one line", (sampling, line) => {
    const read = () => check(diffusionSettings, { kind: "edm", sampling }, "config");
    expect(read).toThrow(new Error(`config: sampling ${line}`));
  });

  test("of one kind are none of another", () => {
    const read = (value: unknown) => () => check(diffusionSettings, value, "config");
    expect(read({ kind: "edm", timesteps: 10 })).toThrow(
      "config: has no option timesteps, did you mean samplingTimesteps?",
    );
    expect(read({ kind: "flow" })).toThrow("config: kind");
    expect(() => diffusionConfigOf(Object.create(Diffusion.prototype) as Diffusion)).toThrow(
      "Trainer: can keep runs of a GaussianDiffusion, a ElucidatedDiffusion, a RectifiedFlow, a ScoreDiffusion, got another diffusion",
    );
  });
});
