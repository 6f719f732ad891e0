import { expect, test } from "vitest";
import { samplerNames, samplerOf } from "../../diffusion/samplers/registry.ts";
import { commands } from "../commands.ts";

/** The flags of each command that has a flag. */
async function having(flag: string): Promise<(readonly [name: string, flags: readonly (string | undefined)[]])[]> {
  const all = await Promise.all(
    commands.map(async ({ name, load }) => {
      const { options } = await load();
      return [name, options.map(({ long }) => long)] as const;
    }),
  );
  return all.filter(([, flags]) => flags.includes(flag));
}

const ofSamplers = [...new Set(samplerNames.flatMap((name) => samplerOf(name).takes))].map(
  (name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
);

test.each([
  ["--checkpoint", ["--no-ema", "--weights"], ["evaluate", "interpolate", "sample"]],
  ["--data", ["--skip-broken"], ["evaluate", "train", "train-classifier"]],
  ["--skip-broken", ["--image-size"], ["evaluate", "train", "train-classifier"]],
  ["--weights", ["--sampler", "--timestep-spacing", ...ofSamplers], ["evaluate", "interpolate", "sample"]],
])("commands that have %s all have what belongs to it", async (flag, others, names) => {
  const found = await having(flag);
  expect(found.map(([name]) => name).toSorted()).toEqual(names);
  for (const [name, flags] of found)
    expect([name, others.filter((other) => !flags.includes(other))]).toEqual([name, []]);
});
