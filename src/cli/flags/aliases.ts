import type { Command, Option } from "commander";

/**
 * Words of this library's API, and of diffusers, with the flags that mean the same. A word is understood by commands
 * that have one of the flags, the first of them, and no flag of the word's own name.
 */
const aliases: Readonly<Record<string, readonly string[]>> = {
  "--cond-scale": ["--guidance"],
  "--guidance-scale": ["--guidance"],
  "--classifier-scale": ["--guidance"],
  "--rescaled-phi": ["--rescale-phi"],
  "--guidance-rescale": ["--rescale-phi"],
  "--sampling-timesteps": ["--steps"],
  "--num-inference-steps": ["--sampling-timesteps", "--steps"],
  "--ddim-sampling-eta": ["--eta"],
  "--num-samples": ["--number", "--samples"],
  "--classes": ["--class"],
  "--image": ["--inpaint"],
  "--beta-schedule": ["--schedule"],
  "--loss-type": ["--loss"],
  "--learning-rate": ["--lr"],
  "--learning-rate-schedule": ["--lr-schedule"],
  "--random-horizontal-flip": ["--flip"],
  "--keep-checkpoints": ["--keep"],
};

/** Writes behind each flag's help what it is called too, and gives a function that puts the flags for their aliases. */
export function acceptAliases(command: Command): (argv: readonly string[]) => string[] {
  const options = new Map(command.options.map((option) => [option.long ?? "", option]));
  const flagOf = new Map<string, string>();
  const words = new Map<Option, string[]>();
  for (const [alias, flags] of Object.entries(aliases)) {
    const flag = flags.find((name) => options.has(name));
    const option = options.get(flag ?? "");
    if (option === undefined || flag === undefined || options.has(alias)) continue;
    words.set(option, [...(words.get(option) ?? []), alias]);
    flagOf.set(alias, flag);
  }
  for (const [option, also] of words) option.description += ` (also ${also.join(", ")})`;
  return (argv) => {
    const end = argv.indexOf("--");
    return argv.map((word, i) => {
      const [name] = word.split("=", 1);
      const flag = end === -1 || i < end ? flagOf.get(name) : undefined;
      return flag === undefined ? word : flag + word.slice(name.length);
    });
  };
}
