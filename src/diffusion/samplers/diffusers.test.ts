import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { sampleOnHost } from "../../../test/support/host-sampling.ts";
import type { HostDenoiser } from "../../../test/support/host-sampling.ts";
import { ScheduleLevels, rhoOf } from "../process/noise-level.ts";
import { noiseSchedule } from "../process/noise-schedule.ts";
import { linearBetaSchedule, scaledLinearBetaSchedule } from "../process/schedules.ts";
import { timestepsOf } from "../process/timestep-spacing.ts";
import { rescaleZeroTerminalSnr } from "../process/zero-terminal-snr.ts";
import { deis } from "./multistep/deis.ts";
import { inversionPlan, samplingPlan } from "./plan.ts";
import type { PlanOptions } from "./plan.ts";
import type { SamplerStep } from "./parts/sampler.ts";

/** What test/fixtures/diffusers/generate.py recorded. */
interface Trajectory {
  readonly timesteps: readonly number[];
  readonly levels: readonly (readonly [alpha: number, sigma: number])[];
  /** One number per image and step that draws. */
  readonly noise: readonly (readonly number[])[];
  /** At the start and after each evaluation. */
  readonly x: readonly (readonly number[])[];
  /** What inpainting knows of each image. */
  readonly known?: readonly (number | null)[];
}

const recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/diffusers/trajectories.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Trajectory>>;

const linear = new ScheduleLevels(noiseSchedule(linearBetaSchedule(1000)));
const scaled = new ScheduleLevels(noiseSchedule(scaledLinearBetaSchedule(1000)));
const zeroSnr = new ScheduleLevels(noiseSchedule(rescaleZeroTerminalSnr(scaledLinearBetaSchedule(1000))));

/** What both libraries' Karras levels start from. */
const sigmaMax = rhoOf(linear.at(999));

/** The network of generate.py, seen as clean numbers. */
const network: HostDenoiser = (x, { alpha, sigma, timestep }) =>
  alpha === 0 ? 0 : (x - sigma * (0.6 * x + 0.4 * Math.sin(2 * x + timestep / 300))) / alpha;
const clipped: HostDenoiser = (x, level) => Math.min(1, Math.max(-1, network(x, level)));

type Case = readonly [name: string, levels: ScheduleLevels, options: PlanOptions];

const planned: readonly Case[] = [
  ["ddpm leading", linear, { sampler: "ddpm", steps: 10, timestepSpacing: "leading" }],
  ["ddpm linspace", linear, { sampler: "ddpm", steps: 7, timestepSpacing: "linspace" }],
  ["ddpm fixedLarge", scaled, { sampler: "ddpm", steps: 10, timestepSpacing: "leading", varianceType: "fixedLarge" }],
  [
    "ddpm learnedRange",
    linear,
    { sampler: "ddpm", steps: 10, timestepSpacing: "leading", varianceType: "learnedRange" },
  ],
  ["ddpm predV", scaled, { sampler: "ddpm", steps: 8 }],
  ["ddpm clipped", linear, { sampler: "ddpm", steps: 10 }],
  ["ddim leading", linear, { sampler: "ddim", steps: 10, timestepSpacing: "leading" }],
  ["ddim eta", linear, { sampler: "ddim", steps: 10, eta: 0.6 }],
  ["ddim predX0", scaled, { sampler: "ddim", steps: 8 }],
  ["ddim zeroSnr", zeroSnr, { sampler: "ddim", steps: 10 }],
  ["ddim clipped", linear, { sampler: "ddim", steps: 10 }],
  ["pndm leading", linear, { sampler: "pndm", steps: 10, timestepSpacing: "leading" }],
  ["pndm one", linear, { sampler: "pndm", steps: 1, timestepSpacing: "trailing" }],
  ["dpmSolver++2M trailing", linear, { sampler: "dpmSolver++2M", steps: 10 }],
  ["dpmSolver++2M twenty", scaled, { sampler: "dpmSolver++2M", steps: 20 }],
  ["dpmSolver++2M predV", scaled, { sampler: "dpmSolver++2M", steps: 10 }],
  ["dpmSolver++2M karras", linear, { sampler: "dpmSolver++2M", steps: 10, timestepSpacing: "karras", sigmaMax }],
  ["dpmSolver++3M corrected", linear, { sampler: "dpmSolver++3M", steps: 10 }],
  ["dpmSolver++2MSde trailing", linear, { sampler: "dpmSolver++2MSde", steps: 10 }],
  [
    "dpmSolver++2MSde eta",
    linear,
    { sampler: "dpmSolver++2MSde", steps: 10, eta: 0.5, timestepSpacing: "karras", sigmaMax },
  ],
  ["uniPC order1", linear, { sampler: "uniPC", steps: 10, order: 1 }],
  ["uniPC order2", linear, { sampler: "uniPC", steps: 10, order: 2 }],
  ["uniPC order3", linear, { sampler: "uniPC", steps: 10, order: 3 }],
  ["euler linspace", linear, { sampler: "euler", steps: 28, timestepSpacing: "linspace" }],
  ["euler karras", linear, { sampler: "euler", steps: 10, timestepSpacing: "karras", sigmaMax }],
  ["euler predV", scaled, { sampler: "euler", steps: 10 }],
  ["eulerAncestral trailing", linear, { sampler: "eulerAncestral", steps: 10 }],
  [
    "eulerAncestral eta",
    linear,
    { sampler: "eulerAncestral", steps: 10, eta: 0.5, timestepSpacing: "karras", sigmaMax },
  ],
  ["heun trailing", linear, { sampler: "heun", steps: 10, timestepSpacing: "trailing" }],
  ["heun karras", linear, { sampler: "heun", steps: 10, timestepSpacing: "karras", sigmaMax }],
  ["lms trailing", linear, { sampler: "lms", steps: 10 }],
  ["lms order2", linear, { sampler: "lms", steps: 10, order: 2 }],
  ["lms karras", linear, { sampler: "lms", steps: 10, timestepSpacing: "karras", sigmaMax }],
  ["edm churn", linear, { sampler: "edm", steps: 10, sigmaMax, sChurn: 2 }],
  ["edm calm", linear, { sampler: "edm", steps: 8, sigmaMax, sChurn: 0 }],
];

test.each(planned)("%s takes the recorded steps", (name, levels, options) => {
  expectRecorded(name, samplingPlan(levels, options).steps, name.endsWith("clipped") ? clipped : network);
});

test.each([1, 2, 3])("deis order%i takes the recorded steps", (order) => {
  // diffusers stops at timestep 0 without asking the network there.
  const levels = [...timestepsOf("trailing", 1000, 10), 0].map((t) => linear.at(t));
  expectRecorded(`deis order${order}`, deis(levels, { order }), network);
});

test.each([
  ["ddimInverse leading", linear, { steps: 10, timestepSpacing: "leading" }],
  ["ddimInverse trailing", scaled, { steps: 8 }],
] as const)("%s takes the recorded steps", (name, levels, options) => {
  expectRecorded(name, inversionPlan(levels, options).steps, network);
});

test.each(["ddpm", "ddim"] as const)("repaint %s takes the recorded steps", (sampler) => {
  const options = { sampler, steps: 10, timestepSpacing: "leading", resamples: 3, jumpLength: 2 } as const;
  expectRecorded(`repaint ${sampler}`, samplingPlan(linear, options).steps, network);
});

test("every recorded trajectory is compared, and every sampler", () => {
  const names = planned.map(([name]) => name);
  const others = ["deis order1", "deis order2", "deis order3", "repaint ddpm", "repaint ddim"];
  const inverse = ["ddimInverse leading", "ddimInverse trailing"];
  expect([...names, ...others, ...inverse].toSorted()).toEqual(Object.keys(recorded).toSorted());
});

function expectRecorded(name: string, steps: readonly SamplerStep[], denoise: HostDenoiser): void {
  const { timesteps, levels, noise, x, known } = recorded[name];
  const asked = steps.map(({ level }) => level);
  const differences = {
    timesteps: largestDifference(
      asked.map(({ timestep }) => timestep),
      timesteps,
    ),
    levels: largestDifference(
      asked.flatMap(({ alpha, sigma }) => [alpha, sigma]),
      levels.flat(),
    ),
    x: 0,
  };
  for (const [image, start] of x[0].entries()) {
    let drawn = 0;
    const drawNext = (x: number, { level, varianceSpread = 0 }: SamplerStep): number => {
      return noise[drawn++][image] * Math.exp(varianceSpread * Math.cos(3 * x + level.timestep / 200));
    };
    const ours = sampleOnHost(steps, denoise, start, drawNext, known?.[image] ?? undefined);
    differences.x = Math.max(
      differences.x,
      largestDifference(
        ours,
        x.map((images) => images[image]),
      ),
    );
  }
  expect(differences.timesteps).toBeLessThan(1e-9);
  expect(differences.levels).toBeLessThan(1e-9);
  expect(differences.x).toBeLessThan(1e-9);
}
