import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { walkOnHost } from "../../../test/support/host-walk.ts";
import { formatPythonJson, parsePythonJson } from "../../io/python-json.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { Denoiser } from "../denoiser.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { GaussianDiffusionOptions } from "../gaussian-diffusion.ts";
import { laplaceBetaSchedule, linearBetaSchedule } from "../process/schedules.ts";
import type { Objective } from "../objectives/objective.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import type { SamplingPlan } from "../samplers/plan.ts";
import type { SamplerStep } from "../samplers/parts/sampler.ts";
import { torchGenerator } from "../randomness/torch-generator.ts";
import type { UsualSampling } from "../samplers/usual-sampling.ts";
import { schedulerOf } from "./of-diffusion.ts";
import { schedulerConfig, schedulerFromConfig, schedulerNames } from "./scheduler.ts";

const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());

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
  /** What diffusers writes of each class's own defaults. */
  readonly saved: readonly string[];
  /** Pairs of classes of which the second does not take what the first has saved. */
  readonly refused: readonly (readonly [first: string, second: string])[];
  readonly aliases: readonly (readonly [other: Json, meant: Json])[];
  /** Images [batch, channels, height, width] by `torch.Generator` in float32, and the part of them that `init` is. */
  readonly pictures: readonly {
    readonly config: Json;
    readonly steps: number;
    readonly step?: { readonly eta: number };
    readonly seed: number;
    readonly shape: readonly [number, number, number, number];
    readonly images: readonly number[];
  }[];
}

const { cases, tables, aliases, pictures, saved, refused } = JSON.parse(
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
  const scheduler = schedulerFromConfig(config, "scheduler_config.json", { precision: "float64" });
  const { eta, use_clipped_model_output: useClippedModelOutput } = step;
  const own = {
    ...(eta !== undefined && { eta }),
    ...(useClippedModelOutput !== undefined && { useClippedModelOutput }),
  };
  const { diffusion } = scheduler;
  return { diffusion, plan: diffusion.plan({ ...scheduler.settings(steps), ...own }) };
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
    for (const name of schedulerNames) {
      const ofClass = cases.filter(({ config: { _class_name: className } }) => className === name);
      expect(ofClass.length).toBeGreaterThanOrEqual(3);
    }
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

describe("with torch's generator a seed gives Python's picture", () => {
  const model: Denoiser = {
    channels: 3,
    forward: (x, t) => {
      const phase = t
        .convert("f32")
        .multiply(1 / 300)
        .reshape([t.shape[0], 1, 1, 1]);
      return x.multiply(0.6).add(x.multiply(2).add(phase).sin().multiply(0.4));
    },
  };

  test.each(pictures)(
    "$config in $steps steps with seed $seed",
    async ({ config, steps, step, seed, shape, images }) => {
      const scheduler = schedulerFromConfig(config, "scheduler_config.json");
      const [batchSize, channels, height, width] = shape;
      const { data } = await scheduler.diffusion.sample(model, {
        ...scheduler.settings(steps),
        ...step,
        generator: torchGenerator(seed),
        batchSize,
        imageSize: [height, width],
        backend,
      });
      const theirs = ndarray(images, shape);
      const most = Math.max(...images.map(Math.abs));
      const ours = images.map((_, i) => {
        const [pixel, channel] = [i % (height * width), Math.floor(i / (height * width)) % channels];
        const image = Math.floor(i / (height * width * channels));
        return data[(image * height * width + pixel) * channels + channel];
      });
      expect(largestDifference(ours, theirs.data) / most).toBeLessThan(1e-5);
    },
  );

  test("and is refused beside a seed", async () => {
    const { diffusion } = schedulerFromConfig({ _class_name: "DDIMScheduler" }, "scheduler_config.json");
    const generator = torchGenerator(0);
    const sample = (options: object) => diffusion.sample(model, { ...options, generator, imageSize: 2, backend });
    await expect(sample({ seed: 0 })).rejects.toThrow("sample: takes a seed or a generator, got both");
    await expect(sample({ firstIndex: 1 })).rejects.toThrow("sample: takes a firstIndex or a generator, got both");
  });
});

describe("what is no scheduler that we have is refused in one line with file, field and value:", () => {
  test.each<readonly [json: unknown, message: string]>([
    [5, "must be an object, got 5"],
    [{}, "_class_name must be the name of a class, got nothing"],
    [
      { _class_name: "VQDiffusionScheduler" },
      `_class_name must be one of ${schedulerNames.join(", ")}, got "VQDiffusionScheduler"`,
    ],
    [
      { _class_name: "DDIMScheduler", prediction_type: "flow" },
      'prediction_type must be one of epsilon, sample, v_prediction, got "flow"',
    ],
    [
      { _class_name: "PNDMScheduler", prediction_type: "sample" },
      'prediction_type must be one of epsilon, v_prediction, got "sample"',
    ],
    [
      { _class_name: "DDIMScheduler", beta_schedule: "sigmoid" },
      'beta_schedule must be one of linear, scaled_linear, squaredcos_cap_v2, got "sigmoid"',
    ],
    [
      { _class_name: "DDIMScheduler", num_train_timesteps: 0 },
      "num_train_timesteps must be a whole number of at least 1, got 0",
    ],
    [{ _class_name: "DDIMScheduler", steps_offset: -1 }, "steps_offset must be a whole number of at least 0, got -1"],
    [{ _class_name: "DDIMScheduler", clip_sample: "yes" }, 'clip_sample must be true or false, got "yes"'],
    [
      { _class_name: "DDIMScheduler", trained_betas: [0.1] },
      "trained_betas must be as many as num_train_timesteps, 1000, got 1",
    ],
    [{ _class_name: "DDIMScheduler", beta_end: 7 }, "betas: must lie between 0 and 1, both excluded"],
    [{ _class_name: "DDIMScheduler", rescale_betas_zero_snr: true }, "prediction_type must be another than epsilon"],
    [{ _class_name: "UniPCMultistepScheduler", solver_p: {} }, "solver_p must be null, got {}"],
    [{ _class_name: "UniPCMultistepScheduler", use_flow_sigmas: true }, "use_flow_sigmas must be false, got true"],
    [
      { _class_name: "DPMSolverMultistepScheduler", algorithm_type: "dpmsolver" },
      'algorithm_type must be one of dpmsolver++, sde-dpmsolver++, deis, got "dpmsolver"',
    ],
    [
      { _class_name: "DPMSolverMultistepScheduler", algorithm_type: "deis" },
      'final_sigmas_type must be "sigma_min" with algorithm_type deis, got "zero"',
    ],
    [
      { _class_name: "DPMSolverMultistepScheduler", solver_order: 4 },
      "solver_order must be a whole number from 1 to 3, got 4",
    ],
    [
      { _class_name: "EulerDiscreteScheduler", use_karras_sigmas: true, use_beta_sigmas: true },
      "use_beta_sigmas must be false beside use_karras_sigmas, got true",
    ],
    [
      { _class_name: "LCMScheduler", num_train_timesteps: 40 },
      "original_inference_steps must be at most num_train_timesteps, 40, got 50",
    ],
  ])("%o", (json, message) => {
    const read = (): unknown => schedulerFromConfig(json, "scheduler/scheduler_config.json");
    expect(read).toThrow(`scheduler/scheduler_config.json: ${message}`);
    expect(read).not.toThrow("\n");
  });

  test.each<readonly [config: Json, steps: number, message: string]>([
    [{ _class_name: "DDIMScheduler" }, 1001, "DDIMScheduler: steps must be a whole number from 1 to 1000, got 1001"],
    [
      { _class_name: "DDIMScheduler", steps_offset: 1 },
      1000,
      "steps_offset must leave the 1000 steps below timestep 1000, got 1",
    ],
    [{ _class_name: "LCMScheduler" }, 51, "original_inference_steps must be at least as many as steps, 51, got 50"],
    [{ _class_name: "DEISMultistepScheduler" }, 1000, "steps must be few enough to visit no timestep twice, got 1000"],
  ])("%o in %i steps", (config, steps, message) => {
    const scheduler = schedulerFromConfig(config, "f.json");
    expect(() => scheduler.settings(steps)).toThrow(message);
  });
});

test("a file is read as another class by its own fields alone, as from_config does", () => {
  const json = { _class_name: "PNDMScheduler", steps_offset: 1, skip_prk_steps: true, beta_schedule: "scaled_linear" };
  const { className, config } = schedulerFromConfig(json, "f.json", { as: "DDIMScheduler" });
  expect(className).toBe("DDIMScheduler");
  expect(config).toMatchObject({ steps_offset: 1, beta_schedule: "scaled_linear", set_alpha_to_one: true });
  expect(config).not.toHaveProperty("skip_prk_steps");
});

test("what is saved is what diffusers saves", () => {
  for (const text of saved) {
    const theirs = parsePythonJson(text) as Json;
    const ours = schedulerConfig(schedulerFromConfig({ _class_name: theirs["_class_name"] }, "f.json"));
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
    expect(parsePythonJson(formatPythonJson(ours))).toEqual(theirs);
    // What it says is what it was read from.
    expect(schedulerConfig(schedulerFromConfig(theirs, "f.json"))).toEqual(theirs);
  }
});

describe("a diffusion that was trained here is saved", () => {
  test.each<readonly [name: string, options: GaussianDiffusionOptions, config: Json]>([
    [
      "by name",
      { betas: linearBetaSchedule(300, { betaEnd: 0.015 }), clipDenoised: false, varianceType: "fixedLarge" },
      {
        num_train_timesteps: 300,
        beta_schedule: "linear",
        beta_start: 0.0001,
        beta_end: 0.015,
        trained_betas: null,
        prediction_type: "epsilon",
        variance_type: "fixed_large",
        clip_sample: false,
      },
    ],
    [
      "by the name of latent diffusion",
      { timesteps: 1000, betaSchedule: "scaledLinear", objective: "predV" },
      { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, prediction_type: "v_prediction" },
    ],
    [
      "by the name of the cosine",
      { timesteps: 200, betaSchedule: "squaredcosCapV2", varianceType: "learnedRange" },
      { num_train_timesteps: 200, beta_schedule: "squaredcos_cap_v2", variance_type: "learned_range" },
    ],
    [
      "beta by beta",
      { timesteps: 40, betaSchedule: "laplace", objective: "predX0" },
      { num_train_timesteps: 40, trained_betas: Array.from(laplaceBetaSchedule(40)), prediction_type: "sample" },
    ],
  ])("%s", (_, options, config) => {
    const diffusion = new GaussianDiffusion(options);
    const scheduler = schedulerOf(diffusion);
    expect(schedulerConfig(scheduler)).toMatchObject(config);
    const { alphasCumprod } = scheduler.diffusion.schedule;
    expect(largestDifference(alphasCumprod, diffusion.schedule.alphasCumprod)).toBeLessThan(1e-6);
    expect(schedulerOf(diffusion, "DDIMScheduler").className).toBe("DDIMScheduler");
  });

  test.each<[UsualSampling, string, object]>([
    [
      { sampler: "dpmSolver++2MSde", steps: 10, timestepSpacing: "karras", sigmaMax: 80, eta: 0.5 },
      "DPMSolverMultistepScheduler",
      { algorithm_type: "sde-dpmsolver++", solver_order: 2, use_karras_sigmas: true, sigma_max: 80 },
    ],
    [{ sampler: "ddim", timestepSpacing: "linspace" }, "DDIMScheduler", { timestep_spacing: "linspace" }],
    [{ sampler: "lms", timestepSpacing: "karras" }, "LMSDiscreteScheduler", { use_karras_sigmas: true }],
    [{ sampler: "edm", sChurn: 3 }, "DDPMScheduler", {}],
  ])("of one that draws by %j", (sampling, className, fields) => {
    const scheduler = schedulerOf(new GaussianDiffusion({ timesteps: 50, betaSchedule: "cosine", sampling }));
    expect(scheduler.className).toBe(className);
    expect(scheduler.config).toMatchObject(fields);
    expect(schedulerOf(new GaussianDiffusion({ timesteps: 50, sampling }), "PNDMScheduler").className).toBe(
      "PNDMScheduler",
    );
  });
});

test("every class takes the files of the others that diffusers lets it take", () => {
  const found: (readonly [string, string])[] = [];
  for (const text of saved) {
    const json = parsePythonJson(text) as Json;
    for (const as of schedulerNames) {
      try {
        schedulerFromConfig(json, "f.json", { as });
      } catch {
        found.push([String(json["_class_name"]), as]);
      }
    }
  }
  const pairs = refused.map((pair) => pair.map((name) => `${name}Scheduler`));
  expect(found.map(String).toSorted()).toEqual(pairs.map(String).toSorted());
});

test("classes of JAX have the names of PyTorch's", () => {
  expect(schedulerFromConfig({ _class_name: "FlaxDDIMScheduler" }, "f.json").className).toBe("DDIMScheduler");
});
