import { describe, expect, test } from "vitest";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { UsualSampling } from "./usual-sampling.ts";

const schedule = { timesteps: 100, betaSchedule: "cosine", samplingTimesteps: 20 } as const;
const sampling = { sampler: "dpmSolver++2MSde", steps: 10, timestepSpacing: "karras", sigmaMax: 40, eta: 0.5 } as const;
const plain = new GaussianDiffusion(schedule);
const usual = new GaussianDiffusion({ ...schedule, sampling });

describe("a diffusion that is told how to draw", () => {
  test("draws so, and all that a call says comes first", () => {
    expect(usual.plan()).toEqual(plain.plan(sampling));
    expect(usual.plan({ steps: undefined, sampler: undefined })).toEqual(plain.plan(sampling));
    expect(usual.plan({ sampler: sampling.sampler, steps: 5 })).toEqual(plain.plan({ ...sampling, steps: 5 }));
    expect(usual.plan({ eta: 1 })).toEqual(plain.plan({ ...sampling, eta: 1 }));
    const { sigmaMax: _, ...others } = sampling;
    expect(usual.plan({ timestepSpacing: "leading" })).toEqual(plain.plan({ ...others, timestepSpacing: "leading" }));
    expect(usual.plan({ timesteps: [90, 40, 3] })).toEqual(plain.plan({ ...sampling, timesteps: [90, 40, 3] }));
  });

  test("draws by another sampler as if it were not told", () => {
    for (const sampler of ["ddim", "ddpm", "heun", "uniPC"]) {
      expect(usual.plan({ sampler })).toEqual(plain.plan({ sampler }));
    }
  });

  test("inpaints as if it were not told, but by its sampler where a call asks for it", () => {
    expect(usual.plan({ resamples: 2 })).toEqual(plain.plan({ resamples: 2 }));
    const deterministic = { sampler: "ddim", steps: 8, eta: 0.2 } as const;
    const told = new GaussianDiffusion({ ...schedule, sampling: deterministic });
    const inpainting = { sampler: "ddim", resamples: 2 };
    expect(told.plan(inpainting)).toEqual(plain.plan({ ...deterministic, ...inpainting }));
  });

  test("spreads its levels over a part of the way as its sampler does, so that the part is one of the time", () => {
    const { sampler, steps, eta } = sampling;
    expect(usual.plan({ strength: 0.6 })).toEqual(plain.plan({ sampler, steps, eta, strength: 0.6 }));
    expect(usual.plan({ strength: 1 })).toEqual(plain.plan({ ...sampling, strength: 1 }));
    expect(usual.plan({ strength: 0.6 }).start.timestep).toBe(59);
  });

  test("of any kind", () => {
    const elucidated = new ElucidatedDiffusion({ sampling: { sampler: "edm", steps: 7, sChurn: 4 } });
    expect(elucidated.plan()).toEqual(new ElucidatedDiffusion().plan({ sampler: "edm", steps: 7, sChurn: 4 }));
  });

  test.each<[UsualSampling, string]>([
    [{ sampler: "dpm" }, "sampling: sampler: must be one of ddpm, "],
    [{ sampler: "ddim", eta: 2 }, "sampling: ddim: eta must be from 0 to 1, got 2"],
    [{ sampler: "ddim", steps: 101 }, "sampling: ddim: steps must be a whole number from 1 to 100, got 101"],
    [{ sampler: "uniPC", eta: 1 }, "sampling: uniPC: has no eta, got 1; it is for ddim, "],
    [
      { sampler: "ddim", sigmaMin: 0.1 },
      "sampling: sigmaMin and sigmaMax: are for timestepSpacing karras, got trailing",
    ],
    [{ sampler: "ddim", step: 5 } as never, "sampling: has no option step, did you mean steps?"],
    [{} as never, "sampling: sampler must be given"],
  ])("refuses %j in one line", (wrong, line) => {
    expect(() => new GaussianDiffusion({ ...schedule, sampling: wrong })).toThrow(line);
  });
});
