import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { ElucidatedDiffusion } from "../../../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../../diffusion/process/schedules.ts";
import { check } from "../../../config/rules.ts";
import { presets } from "../../presets/all.ts";
import { diffusionOf, modelOf } from "../../runs/run-parts.ts";
import { runSettings } from "../../runs/run-settings.ts";
import { addSettingFlags, resolveSettings } from "./flags.ts";
import type { FlagValues } from "./flags.ts";

function flagsOf(line: string): FlagValues {
  const command = new Command("train").exitOverride().option("--preset <name>");
  addSettingFlags(command);
  return command
    .parse(
      line.split(" ").filter((word) => word !== ""),
      { from: "user" },
    )
    .opts<FlagValues>();
}

describe("presets", () => {
  test.for(presets.map(({ name, settings }) => ({ name, settings })))(
    "$name has valid settings",
    ({ name, settings }) => {
      expect(check(runSettings, { preset: name, ...settings }, name)).toMatchObject(settings);
    },
  );

  test("the annotated one is the article's recipe", () => {
    expect(resolveSettings(flagsOf("--preset annotated"))).toMatchObject({
      data: "fashion-mnist",
      model: {
        dim: 28,
        dimMults: [1, 2, 4],
        resnetBlockGroups: 4,
        attentionHeads: 4,
        attentionDimHead: 32,
        weightStandardization: "printed",
      },
      diffusion: {
        betaSchedule: "linear",
        timesteps: 300,
        lossType: "huber",
        objective: "predNoise",
        clipDenoised: false,
      },
      training: {
        batchSize: 128,
        learningRate: 1e-3,
        learningRateSchedule: "constant",
        adamBetas: [0.9, 0.999],
        adamEpsilon: 1e-8,
        maxGradNorm: 0,
        emaDecay: 0,
        randomHorizontalFlip: true,
      },
      length: { epochs: 6 },
    });
  });
});

describe("flags", () => {
  test("change single settings of the preset", () => {
    const settings = resolveSettings(flagsOf("--dim 32 --dim-mults 1,2 --epochs 2 --flip --lr 5e-4 --ema-decay 0"));
    const plain = resolveSettings(flagsOf(""));
    expect(settings).toEqual({
      ...plain,
      model: { ...plain.model, dim: 32, dimMults: [1, 2] },
      training: { ...plain.training, learningRate: 5e-4, emaDecay: 0, randomHorizontalFlip: true },
      length: { epochs: 2 },
    });
    expect(resolveSettings(flagsOf("--preset annotated --no-flip")).training.randomHorizontalFlip).toBe(false);
  });

  test("learn the variance in twice the channels", () => {
    const settings = resolveSettings(flagsOf("--variance-type learnedRange --loss vlb"));
    expect(settings.diffusion).toMatchObject({ varianceType: "learnedRange", lossType: "vlb", vbLossWeight: 0.001 });
    expect(modelOf(settings, 3).options).toMatchObject({ channels: 3, outDim: 6 });
    expect(diffusionOf(settings)).toMatchObject({ varianceType: "learnedRange" });
    expect(modelOf(resolveSettings(flagsOf("")), 3).options.outDim).toBe(3);
  });

  test("take another diffusion, with the flags that are for it alone", () => {
    const settings = resolveSettings(
      flagsOf("--diffusion edm --sigma-data 0.4 --p-mean -0.8 --p-std 1 --sampling-timesteps 20"),
    );
    const options = { sigmaData: 0.4, pMean: -0.8, pStd: 1, samplingTimesteps: 20 };
    expect(settings.diffusion).toMatchObject({ kind: "edm", ...options, sigmaMax: 80 });
    expect(diffusionOf(settings)).toEqual(new ElucidatedDiffusion(options));
    expect(resolveSettings(flagsOf("--steps 5"), settings).diffusion).toEqual(settings.diffusion);
    expect(resolveSettings(flagsOf("--diffusion gaussian --timesteps 50"), settings).diffusion).toMatchObject({
      kind: "gaussian",
      timesteps: 50,
    });
    // A preset that knows no timesteps gives way to a flag of them.
    expect(resolveSettings(flagsOf("--preset photos")).diffusion).toMatchObject({ kind: "edm" });
    const timed = resolveSettings(flagsOf("--preset photos --timesteps 50 --objective predV"));
    expect(timed.diffusion).toMatchObject({ kind: "gaussian", timesteps: 50, objective: "predV" });
    expect(() => resolveSettings(flagsOf("--diffusion edm --timesteps 50"))).toThrow(
      "--timesteps: is not for --diffusion edm",
    );
    for (const flag of ["--sigma-data", "--p-mean", "--p-std"]) {
      expect(() => resolveSettings(flagsOf(`${flag} 0.4`))).toThrow(`${flag}: is not for --diffusion gaussian`);
    }
  });

  test("say how samples are drawn: the preset's way otherwise, another sampler, its steps and its noise", () => {
    const drawn = (line: string) => resolveSettings(flagsOf(line)).diffusion.sampling;
    const usual = { sampler: "dpmSolver++2MSde", steps: 10, timestepSpacing: "karras", eta: 0.5 };
    expect(drawn("")).toEqual(usual);
    expect(drawn("--sampling-timesteps 20 --eta 1")).toEqual({ ...usual, steps: 20, eta: 1 });
    expect(drawn("--timesteps 5")).toEqual({ ...usual, steps: 5 });
    expect(drawn("--sampler uniPC --sampling-timesteps 20")).toEqual({ sampler: "uniPC", steps: 20 });
    expect(drawn("--sampler dpmSolver++2MSde --timestep-spacing trailing")).toEqual({
      ...usual,
      timestepSpacing: "trailing",
    });
    expect(drawn("--diffusion edm --sampler edm")).toEqual({ sampler: "edm" });
    expect(drawn("--preset annotated")).toBeUndefined();
    const begun = resolveSettings(flagsOf("--sampler uniPC"));
    expect(resolveSettings(flagsOf("--eta 1"), begun).diffusion).toEqual({ ...begun.diffusion, ddimSamplingEta: 1 });
    expect(() => drawn("--preset annotated --timestep-spacing karras")).toThrow(
      "settings: diffusion.sampling sampler must be given",
    );
  });

  test("change the settings that a run was begun with, and leave its others", () => {
    const begun = resolveSettings(flagsOf("--dim 32 --steps 100 --seed 9"));
    expect(resolveSettings(flagsOf("--steps 200"), begun)).toEqual({ ...begun, length: { steps: 200 } });
    expect(begun.length).toEqual({ steps: 100 });
  });
});

test("--scale-betas keeps a schedule's noise with fewer timesteps", () => {
  const betas = (line: string) => {
    const diffusion = diffusionOf(resolveSettings(flagsOf(`--preset annotated --timesteps 100 ${line}`)));
    return diffusion instanceof GaussianDiffusion ? [...diffusion.schedule.betas] : [];
  };
  expect(betas("--scale-betas")).toEqual([...linearBetaSchedule(100, { scale: true })]);
  expect(betas("")).toEqual([...linearBetaSchedule(100)]);
  expect(() => betas("--schedule cosine --scale-betas")).toThrow("can be scaled, got cosine");
});
