import type { Command } from "commander";
import { Option } from "commander";
import type { SourceOptions } from "../../pretrained/source/open-source.ts";
import { downloadNotes } from "../output/download-notes.ts";

/** Flags of the commands that take a model that others have published. */
export interface PretrainedFlags {
  /** A diffusers folder, or the name of a repository of the hub. */
  readonly pretrained?: string;
  readonly revision?: string;
  readonly variant?: string;
}

/** @param meaning what the command does with it */
export function addPretrainedFlags(command: Command, meaning: string): void {
  const options = [
    new Option(
      "--pretrained <name|folder>",
      `${meaning} a diffusers folder, or a model of the Hugging Face hub by its name`,
    ),
    new Option("--revision <name>", "which branch, tag or commit of the hub's repository (default: main)"),
    new Option("--variant <name>", "which of several sets of weights, such as fp16"),
  ];
  for (const option of options) command.addOption(option.helpGroup("Published models (docs/pretrained.md):"));
}

/** How to open it, saying what is fetched. */
export function pretrainedOptions(
  { revision, variant }: PretrainedFlags,
  say: (line: string) => void,
): SourceOptions & { readonly variant?: string | undefined } {
  return { revision, variant, log: say, onProgress: downloadNotes(say) };
}

/** @throws Error of one line if a flag of published models is given without one */
export function checkPretrainedFlags(flags: PretrainedFlags, place = flags.pretrained): void {
  const alone = (["revision", "variant"] as const).find((name) => flags[name] !== undefined);
  if (place === undefined && alone !== undefined) throw new Error(`--${alone}: is for published models`);
}
