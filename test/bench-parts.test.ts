import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { Parts } from "../bench/gpu/parts.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "unnoise-parts-"));
});
afterAll(() => rm(directory, { recursive: true }));

const file = z.looseObject({ cutShort: z.array(z.string()), seconds: z.number() });

/** Parts that write to a file of their own; its text, and the lines that they say. */
function partsOf(name: string, seconds: number, signal = new AbortController().signal, only?: string) {
  const lines: string[] = [];
  const out = join(directory, `${name}.json`);
  const say = (line: string): void => void lines.push(line.replace(/^ *\d+ s  /, ""));
  const options = { out, seconds, signal, patience: 0.05, say, only };
  const parts = new Parts(options, { environment: "a test" });
  return { parts, lines, written: async () => file.parse(JSON.parse(await readFile(out, "utf8"))) };
}

/** Goes on until it is told to stop. */
const endless = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve({ steps: 3 }));
  });

describe("the parts of a long run", () => {
  test("are in the file as soon as each has ended, and what goes wrong in one is its result", async () => {
    const { parts, lines, written } = partsOf("faults", 60);
    await parts.run("first", 60, () => Promise.resolve({ speed: 1 }));
    expect(await written()).toMatchObject({ environment: "a test", first: { speed: 1 }, cutShort: [] });
    await parts.run("second", 60, () => Promise.reject(new Error("there is no GPU\nand more")));
    await parts.run("third", 60, () => Promise.resolve(3));
    expect(await written()).toMatchObject({
      first: { speed: 1 },
      second: { error: "Error: there is no GPU" },
      third: 3,
    });
    expect(lines).toEqual(["first", "second", "second: Error: there is no GPU", "third"]);
  });

  test("give what they have when their time is over, and one that does not end is left behind", async () => {
    const { parts, lines, written } = partsOf("slow", 60);
    await parts.run("slow", 0.05, endless);
    await parts.run("stuck", 0.05, () => new Promise(() => {}));
    await parts.run("last", 60, () => Promise.resolve(true));
    expect(await written()).toMatchObject({
      slow: { steps: 3 },
      stuck: { error: "it came to no end 0.05 s after it was to stop" },
      last: true,
      cutShort: ["slow", "stuck"],
    });
    expect(lines).toContain("slow: cut short");
  });

  test("are left out where only others are asked for", async () => {
    const { parts, written } = partsOf("only", 60, undefined, "article");
    await parts.run("device", 60, () => Promise.reject(new Error("began")));
    await parts.run("article, f32", 60, () => Promise.resolve(1));
    expect(await written()).toMatchObject({ "article, f32": 1 });
    expect(parts.results).not.toHaveProperty("device");
  });

  test("do not begin when the time of the run is over", async () => {
    const { parts, written } = partsOf("late", 0.1);
    await parts.run("first", 60, endless);
    await parts.run("second", 60, () => Promise.reject(new Error("began")));
    expect(await written()).toMatchObject({
      first: { steps: 3 },
      second: { skipped: expect.stringMatching(/^\d+ s had passed$/) as unknown },
      cutShort: ["first"],
    });
  });

  test("end when the run is interrupted, which keeps what there is", async () => {
    const interrupt = new AbortController();
    const { parts, written } = partsOf("interrupted", 60, interrupt.signal);
    setTimeout(() => interrupt.abort(), 20);
    await parts.run("first", 60, endless);
    await parts.run("second", 60, () => Promise.reject(new Error("began")));
    expect(await written()).toMatchObject({ first: { steps: 3 }, cutShort: ["first"] });
    expect(parts.results).not.toHaveProperty("second");
  });
});
