import { Command } from "commander";
import { expect, test } from "vitest";
import { registerSampler, samplerNames, samplerOf } from "../../../diffusion/samplers/registry.ts";
import { linearBetaSchedule } from "../../../diffusion/process/schedules.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { addSamplerOptions, samplerOptionsOf } from "./sampler-options.ts";

function given(line: string): object {
  const command = new Command("sample").exitOverride();
  addSamplerOptions(command);
  return samplerOptionsOf(command.parse(line === "" ? [] : line.split(" "), { from: "user" }).opts());
}

test("every option of every sampler is a flag, but eta, which has one already", () => {
  const command = new Command("sample");
  addSamplerOptions(command);
  const flags = command.options.map((option) => option.attributeName());
  const taken = samplerNames.flatMap((name) => samplerOf(name).takes).filter((name) => name !== "eta");
  expect(new Set(flags)).toEqual(new Set(taken));
});

test("numbers, lists, words, and yes and no are read as such", () => {
  const line = "--corrector-steps 2 --snr 0.1 --final-orders 2,1 --solver-type heun --predicts-x0 false --s-t-min 0.1";
  expect(given(line)).toEqual({
    correctorSteps: 2,
    snr: 0.1,
    finalOrders: [2, 1],
    solverType: "heun",
    predictsX0: false,
    sTMin: 0.1,
  });
  expect(given("")).toEqual({});
});

test("the sampler says in one line what it requires, or that it has no use for a flag", () => {
  const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(100) });
  const plan = (sampler: string, line: string) => diffusion.plan({ sampler, steps: 10, ...given(line) });
  const correctors = (line: string): number => plan("predictorCorrector", line).steps.length;
  expect([correctors(""), correctors("--corrector-steps 3")]).toEqual([19, 37]);
  expect(() => correctors("--snr 7")).toThrow("predictorCorrector: snr must be above 0 and at most 1, got 7");
  expect(() => plan("annealedLangevin", "--langevin-steps many")).toThrow(
    "annealedLangevin: langevinSteps must be a whole number of at least 1, got many",
  );
  expect(() => plan("euler", "--step-size 0.1")).toThrow("euler: has no stepSize, got 0.1; it is for annealedLangevin");
});

test("a sampler that is registered later has its flags too", () => {
  registerSampler("halfway", { takes: ["howFar"], sampler: () => [] });
  expect(given("--how-far 0.5")).toEqual({ howFar: 0.5 });
});
