import { Option } from "commander";
import type { Command } from "commander";
import { numberWithin } from "../../../config/rules.ts";
import { timestepSpacingNames } from "../../../diffusion/process/timestep-spacing.ts";
import type { TimestepSpacing } from "../../../diffusion/process/timestep-spacing.ts";
import type { SamplerSettings } from "../../../diffusion/sampling/sample.ts";
import { samplerNames } from "../../../diffusion/samplers/registry.ts";
import { numberFlag } from "../flags.ts";
import { addSamplerOptions, samplerOptionsOf } from "./sampler-options.ts";

/** How a model draws, but for samplers and steps, of which a command may take several: flags that all have which draw. */
export interface WayFlags {
  readonly timestepSpacing?: TimestepSpacing;
  readonly eta?: number;
}

export function addWayFlags(command: Command): Command {
  command
    .addOption(
      new Option(
        "--timestep-spacing <name>",
        "how the steps are spread over the timesteps (default: as trained, or depends on the sampler)",
      ).choices(timestepSpacingNames),
    )
    .addOption(
      new Option(
        "--eta <x>",
        "noise that ddim and similar samplers add, from 0 (none) to 1 (as much as ddpm) (default: as trained)",
      ).argParser(numberFlag(numberWithin(0, 1))),
    );
  addSamplerOptions(command);
  return command;
}

export function samplerOption(): Option {
  return new Option(
    "--sampler <name>",
    "how to get from noise to images (default: as trained, or ddpm, ddim with fewer steps than timesteps, heun for edm)",
  ).choices(samplerNames);
}

/** What was given of these flags, and of the samplers' own. */
export function wayOf(flags: WayFlags): SamplerSettings {
  const { timestepSpacing, eta } = flags;
  return { timestepSpacing, eta, ...samplerOptionsOf(flags) };
}
