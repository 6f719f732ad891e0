import { mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MetricsFile } from "./metrics-file.node.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-metrics-"));
});
afterAll(() => rm(folder, { recursive: true }));

const lineOf = (step: number): string =>
  `${JSON.stringify({ step, epoch: 1, loss: 0.5, learningRate: 1e-3, imagesPerSecond: 9 })}\n`;
const linesTo = (steps: number): string => Array.from({ length: steps }, (_, i) => lineOf(i + 1)).join("");

async function fileOf(content: string): Promise<MetricsFile> {
  const path = join(folder, "metrics.jsonl");
  await writeFile(path, content);
  return new MetricsFile(path);
}

describe("a file of metrics", () => {
  test.each([
    ["a run that goes on from its last step", linesTo(5), 5, linesTo(5)],
    ["a run that goes on from an earlier step", linesTo(5), 2, linesTo(2)],
    ["a line that was cut off", `${linesTo(5)}{"step":6,"ep`, 9, linesTo(5)],
    ["a line that only lacks its end", linesTo(5).trimEnd(), 9, linesTo(4)],
    ["lines that are none", `${linesTo(3)}nonsense\n\n\n`, 9, linesTo(3)],
    ["a file longer than what is read at a time", linesTo(20_000), 700, linesTo(700)],
    ["a line longer than what is read at a time", `${linesTo(3)}${"x".repeat(200_000)}\n${lineOf(9)}`, 5, linesTo(3)],
    ["a run from the start", linesTo(5), 0, ""],
    ["nothing but an empty line", "\n", 5, ""],
    ["an empty file", "", 5, ""],
  ])("of %s is cut where it goes on", async (_, content, step, left) => {
    const file = await fileOf(content);
    await file.cutAfter(step);
    expect(await readFile(file.path, "utf8")).toBe(left);
  });

  test("may be larger than a string can be", async () => {
    const file = await fileOf(linesTo(3));
    // What comes before the last lines need not be read: a hole stands for it.
    const hole = 700_000_000;
    const handle = await open(file.path, "r+");
    await handle.truncate(hole);
    await handle.write(`\n${lineOf(70)}${lineOf(80)}`, hole);
    await handle.close();
    await file.cutAfter(75);
    expect((await stat(file.path)).size).toBe(hole + 1 + lineOf(70).length);
  });

  test("is no error where it is not there yet", async () => {
    const file = new MetricsFile(join(folder, "none.jsonl"));
    await file.cutAfter(3);
    for await (const line of file.lines()) expect(line).toBeUndefined();
  });
});
