import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { walkOnHost } from "../../../test/support/host-walk.ts";
import type { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { Objective } from "../objectives/objective.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import type { SamplingPlan } from "../samplers/plan.ts";
import type { SamplerStep } from "../samplers/parts/sampler.ts";
import { schedulerFromConfig, schedulerNames } from "./scheduler.ts";

type Json = Readonly<Record<string, unknown>>;

/** What test/fixtures/schedulers/generate.py recorded. */
interface Recorded {
  readonly cases: readonly {
    readonly config: Json;
    readonly steps: number;
    readonly step?: { readonly eta?: number; readonly use_clipped_model_output?: boolean };
    readonly timesteps: readonly number[];
    /** Six numbers for each step that draws. */
    readonly noise: readonly (readonly number[])[];
    /** At each evaluation and at the end. */
    readonly x: readonly (readonly number[])[];
  }[];
  readonly tables: readonly { readonly config: Json; readonly alphasCumprod: string }[];
  readonly aliases: readonly (readonly [other: Json, meant: Json])[];
}

const { cases, tables, aliases } = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/schedulers/schedulers.json", import.meta.url), "utf8"),
) as Recorded;

const START = [-1.4, -0.3, 0.5, 1.1, -0.8, 1.9];

/** The network of generate.py in the terms of a prediction type. */
function answer(predictionType: unknown, x: number, { alpha, sigma, timestep }: NoiseLevel): number {
  const noise = 0.6 * x + 0.4 * Math.sin(2 * x + timestep / 300);
  const start = alpha === 0 ? 0 : (x - sigma * noise) / alpha;
  if (predictionType === "v_prediction") return alpha * noise - sigma * start;
  return predictionType === "sample" ? start : noise;
}

/** The clean number that an answer means. */
function meaning(objective: Objective, said: number, x: number, { alpha, sigma }: NoiseLevel): number {
  if (objective === "predV") return alpha * x - sigma * said;
  return objective === "predX0" ? said : (x - sigma * said) / alpha;
}

/** What its variance makes of noise. */
function ofVariance(x: number, { level, varianceSpread = 0, isVarianceItself = false }: SamplerStep): number {
  const cosine = Math.cos(3 * x + level.timestep / 200);
  return isVarianceItself ? Math.sqrt(0.02 * (1.5 + cosine)) : Math.exp(varianceSpread * cosine);
}

interface Sampling {
  readonly diffusion: GaussianDiffusion;
  readonly plan: SamplingPlan;
}

function samplingOf(config: Json, { steps, step = {} }: Pick<Recorded["cases"][number], "steps" | "step">): Sampling {
  const { diffusion, settings } = schedulerFromConfig(config, "scheduler_config.json", { precision: "float64" });
  const { eta, use_clipped_model_output: useClippedModelOutput } = step;
  const own = {
    ...(eta !== undefined && { eta }),
    ...(useClippedModelOutput !== undefined && { useClippedModelOutput }),
  };
  return { diffusion, plan: diffusion.plan({ ...settings(steps), ...own }) };
}

/** What a config says, and what it makes of the recorded network and noise. */
function walked(
  config: Json,
  recorded: Recorded["cases"][number],
): { network: string; timesteps: number[]; x: number[][] } {
  const { diffusion, plan } = samplingOf(config, recorded);
  const { prediction_type: predictionType } = recorded.config;
  let drawn = 0;
  const x = walkOnHost(
    plan,
    START.map((value) => value * plan.startDeviation),
    {
      denoise: (x, { level }) => meaning(diffusion.objective, answer(predictionType, x, level), x, level),
      noise(shown, step) {
        const z = recorded.noise[drawn++] ?? [];
        return shown.map((value, i) => (z[i] ?? 0) * ofVariance(value, step));
      },
    },
  );
  return { network: diffusion.varianceType, timesteps: plan.steps.map(({ level }) => level.timestep), x };
}

/** Beside the largest number of the trajectory, or 1. */
function distance(ours: readonly (readonly number[])[], theirs: readonly (readonly number[])[]): number {
  if (ours.length !== theirs.length) return Infinity;
  const most = Math.max(1, ...theirs.flat().map(Math.abs));
  return largestDifference(ours.flat(), theirs.flat()) / most;
}

const named = cases.map((recorded) => [`${JSON.stringify(recorded.config)} in ${recorded.steps}`, recorded] as const);

describe("a scheduler_config.json is followed as diffusers follows it", () => {
  test.each(named)("%s", (_, recorded) => {
    const { timesteps, x } = walked(recorded.config, recorded);
    expect(timesteps).toHaveLength(recorded.timesteps.length);
    expect(largestDifference(timesteps, recorded.timesteps)).toBeLessThan(1e-9);
    expect(distance(x, recorded.x)).toBeLessThan(1e-9);
  });

  test("in at least 40 cases, several of every class", () => {
    expect(cases.length).toBeGreaterThanOrEqual(40);
    const classes = Map.groupBy(cases, ({ config }) => String(config._class_name));
    expect([...classes.keys()].toSorted()).toEqual([...schedulerNames].toSorted());
    for (const of of classes.values()) expect(of.length).toBeGreaterThanOrEqual(3);
  });
});

test.each(named)("every option counts of %s", (_, recorded) => {
  const whole = walked(recorded.config, recorded);
  for (const dropped of Object.keys(recorded.config)) {
    if (dropped === "_class_name") continue;
    const { [dropped]: _dropped, ...rest } = recorded.config;
    let other: ReturnType<typeof walked> | undefined;
    try {
      other = walked(rest, recorded);
    } catch {
      // Without it the others do not go together: it counts.
    }
    const isAnother =
      other?.network !== whole.network ||
      String(other.timesteps) !== String(whole.timesteps) ||
      !(distance(other.x, whole.x) < 1e-6);
    expect(isAnother, dropped).toBe(true);
  }
});

test.each(aliases)("%o says the same as %o", (other, meant) => {
  const [a, b] = [other, meant].map((config) => samplingOf(config, { steps: 6 }).plan);
  expect(a).toEqual(b);
});

test.each(tables)("$config has diffusers' alphas_cumprod in float32", ({ config, alphasCumprod }) => {
  const theirs = new Float32Array(Uint8Array.from(Buffer.from(alphasCumprod, "base64")).buffer);
  const { diffusion } = schedulerFromConfig(config, "scheduler_config.json");
  const last = theirs.length - 1;
  // The schedule itself falls at every timestep: what scheduler.ts does about the last one is in the trajectories.
  const count = theirs[last] === 2 ** -24 ? last : theirs.length;
  const ours = Float32Array.from(diffusion.schedule.alphasCumprod);
  expect(ours).toHaveLength(theirs.length);
  const differences = ours.subarray(0, count).map((value, t) => Math.abs(value - theirs[t]) / (theirs[t] || 1));
  // PyTorch's vector code rounds roots and the logistic function otherwise in the last digit.
  const isExact = config.rescale_betas_zero_snr !== true && config.beta_schedule !== "sigmoid";
  expect(Math.max(...differences)).toBeLessThanOrEqual(isExact ? 0 : 6e-7);
});
