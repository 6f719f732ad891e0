import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { samplerNames, samplerOf, takenBySamplers } from "../../../diffusion/samplers/registry.ts";
import type { SamplerOptions } from "../../../diffusion/samplers/registry.ts";

/** What the options do that people turn most; the docstrings of the samplers, and docs/samplers.md, have the rest. */
const MEANINGS: Readonly<Record<string, string>> = {
  snr: "length of a corrector's step: the ratio of the sizes of noise and score",
  correctorSteps: "corrector's steps at every noise level",
  langevinSteps: "steps at every noise level",
  stepSize: "their length, as a part of the level's variance",
  order: "evaluations that a step looks back on",
  sChurn: "how much fresh noise is added",
  sNoise: "deviation of that noise",
  sTMin: "least noise level at which it is added",
  sTMax: "largest noise level at which it is added",
};

/** Has a flag of its own everywhere. */
const OWN = ["eta"];

/** What the samplers' rows say that they take: a flag for each, so that those of a new sampler are there by themselves. */
export function addSamplerOptions(command: Command): void {
  for (const name of optionNames()) {
    const takers = samplerNames.filter((sampler) => samplerOf(sampler).takes.includes(name));
    const meaning = MEANINGS[name] ?? name;
    const option = new Option(`--${kebab(name)} <value>`, `${meaning} (${takers.join(", ")})`).argParser(valueOf);
    command.addOption(option.helpGroup("Options of samplers, named behind them:"));
  }
}

/** Those of the flags that were given. */
export function samplerOptionsOf(flags: object): SamplerOptions {
  const given = Object.entries(flags).filter(([name, value]) => optionNames().includes(name) && value !== undefined);
  return Object.fromEntries(given);
}

function optionNames(): string[] {
  return [...new Set(takenBySamplers())].filter((name) => !OWN.includes(name));
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** A number, numbers with commas between them, yes or no, or a word: the sampler says what it requires. */
function valueOf(text: string): number | readonly number[] | boolean | string {
  if (text.trim() === "") throw new InvalidArgumentError("It must not be empty.");
  if (text === "true" || text === "false") return text === "true";
  const numbers = text.split(",").map(Number);
  if (numbers.some(Number.isNaN)) return text;
  return numbers.length === 1 ? numbers[0] : numbers;
}
