import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { commands } from "../commands.ts";
import { acceptAliases } from "./aliases.ts";

async function commandNamed(name: string): Promise<Command> {
  const entry = commands.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`no command ${name}`);
  return entry.load();
}

describe("words of the API", () => {
  test.each([
    ["sample", "--cond-scale 3 --sampling-timesteps 10", "--guidance 3 --steps 10"],
    ["sample", "--guidance-scale=3.5 --classes bag", "--guidance=3.5 --class bag"],
    ["evaluate", "--num-inference-steps 5,10 --num-samples 100", "--steps 5,10 --number 100"],
    ["interpolate", "a.png b.png --sampling-timesteps 9", "a.png b.png --steps 9"],
    ["noise", "x.png --beta-schedule cosine", "x.png --schedule cosine"],
    // What a command has under the very name keeps its meaning.
    ["train", "--sampling-timesteps 10 --steps 5 --classes", "--sampling-timesteps 10 --steps 5 --classes"],
    ["train", "--num-inference-steps 10 --learning-rate 1e-3", "--sampling-timesteps 10 --lr 1e-3"],
    ["train", "--beta-schedule cosine --loss-type l1", "--schedule cosine --loss l1"],
    ["sample", "--seed 1 -- --cond-scale", "--seed 1 -- --cond-scale"],
  ])("are flags of %s: %s", async (name, line, meant) => {
    const translate = acceptAliases(await commandNamed(name));
    expect(translate(line.split(" "))).toEqual(meant.split(" "));
  });

  test("stand in the help of their flag", async () => {
    const sample = await commandNamed("sample");
    acceptAliases(sample);
    expect(sample.helpInformation().replaceAll(/\s+/g, " ")).toContain(
      "(also --cond-scale, --guidance-scale, --classifier-scale)",
    );
  });
});

test("every command that computes takes --device and --threads, with one meaning", async () => {
  const seen = new Map<string, Set<string>>();
  for (const { name, load } of commands) {
    const { options } = await load();
    for (const { long, description } of options) {
      if (long === undefined || !["--device", "--threads", "--checkpoint", "--no-ema", "--eta"].includes(long))
        continue;
      // Settings of a run, and of another program's file.
      const isOther = (name === "train" && long === "--eta") || (name === "import" && long === "--no-ema");
      if (!isOther) seen.set(long, (seen.get(long) ?? new Set()).add(description));
    }
    const computes = !["noise", "export", "import"].includes(name);
    const has = ["--device", "--threads"].map((flag) => options.some(({ long }) => long === flag));
    expect([name, ...has]).toEqual([name, computes, computes]);
  }
  for (const long of ["--device", "--threads", "--no-ema", "--eta"]) expect(seen.get(long)?.size).toBe(1);
});
