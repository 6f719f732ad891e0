import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ours } from "../bench/contest/contestants.ts";
import { expectedValues } from "../bench/contest/expected-values.ts";
import { sizeTable } from "../bench/measurements/size-table.ts";
import type { Work } from "../bench/contest/participant.ts";
import { benchResult } from "../src/bench/result.ts";
import { DEFAULT_SIZE } from "../src/bench/sizes.ts";
import type { WorkloadName } from "../src/bench/workload-names.ts";
import { Referee, largestDifference } from "../bench/contest/referee.ts";

const main = fileURLToPath(new URL("../bench/main.ts", import.meta.url));
const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const onPosix = process.platform !== "win32";

const spread = z.strictObject({ median: z.number(), min: z.number(), max: z.number() });
const rate = z.number().positive().nullable();
const work = {
  kind: z.string(),
  seconds: z.number().nonnegative(),
  flops: z.number(),
  bytes: z.number(),
  flopsPerSecond: rate,
  shareOfPeak: rate,
  bytesPerSecond: rate,
};
/** What --json prints, here and in `unnoise bench`. */
const report = z.strictObject({
  results: z.array(
    z.strictObject({
      name: z.string(),
      unit: z.enum(["s", "bytes"]),
      ours: spread,
      peers: z.record(z.string(), spread.extend({ counts: z.boolean() })),
      ratio: z.number().positive().nullable(),
    }),
  ),
  profiles: z.array(
    z.strictObject({
      name: z.string(),
      peak: z.number().positive(),
      seconds: z.number().positive(),
      kinds: z.array(z.strictObject({ ...work, count: z.number(), share: z.number() })),
      kernels: z.array(z.strictObject({ ...work, index: z.number(), name: z.string(), work: z.string() })),
    }),
  ),
  sizes: z.array(z.string()).optional(),
  geometricMeans: z.strictObject({ train: rate, forward: rate, memory: rate }).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])),
});

/**
 * Stands in for a Python with every package, and for the peers in it: answers with the values that a file gives for the
 * workload, takes a second to remember it by, or fails.
 */
const FAKE_PEER = `
const { readFileSync } = require("node:fs");
const args = process.argv.slice(2);
const { FAKE_PEER_MISSING = "", FAKE_PEER_VALUES, FAKE_PEER_FAILS } = process.env;
const say = (answer) => console.log(JSON.stringify(answer));
const workload = args[args.indexOf("--workload") + 1];
const answers = {
  values: () => ({ values: JSON.parse(readFileSync(FAKE_PEER_VALUES))[workload] }),
  memory: () => ({ bytes: 1e15 }),
  step: () => (args.join().includes(FAKE_PEER_FAILS) ? { error: "RuntimeError: out of something" } : { seconds: 1000 }),
};
if (args[0] === "-c") console.log(args.slice(2).filter((name) => FAKE_PEER_MISSING.split(",").includes(name)).join(" "));
else {
  say({ ready: { description: "a stand-in" } });
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    say(answers[JSON.parse(line).request]());
  });
}
`;

let folder: string;
/** Where there is the stand-in, which answers as we do with a batch of 1. */
let withFakePeers: NodeJS.ProcessEnv;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-bench-"));
  const fakePython = join(folder, "python");
  const values = join(folder, "values.json");
  const [forward, train] = [await expectedValues(article("forward", 1)), await expectedValues(article("train", 1))];
  await writeFile(values, JSON.stringify({ forward, train }));
  withFakePeers = { UNNOISE_PYTHON: fakePython, FAKE_PEER_VALUES: values };
  await writeFile(join(folder, "peer.cjs"), FAKE_PEER);
  await writeFile(fakePython, `#!/bin/sh\nexec "${process.execPath}" "${join(folder, "peer.cjs")}" "$@"\n`);
  await chmod(fakePython, 0o755);
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script where no Python is to be found but the one that is named. */
async function bench(script: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const env = { ...process.env, PATH: "/nonexistent", UNNOISE_CACHE: folder, UNNOISE_PYTHON: "", ...environment };
  const end = (error: unknown) => error as Outcome;
  const outcome = await promisify(execFile)(process.execPath, [script, ...args], { cwd: folder, env }).catch(end);
  return { code: "code" in outcome ? outcome.code : 0, stdout: outcome.stdout, stderr: outcome.stderr };
}

/** With the article's network. */
function article(workload: WorkloadName, batchSize: number): Work {
  return { workload, size: DEFAULT_SIZE, batchSize };
}

const short = ["--rounds", "1", "--batch-size", "1"];

describe("npm run bench", { timeout: 180_000 }, () => {
  test("goes on without PyTorch and says how to get it", async () => {
    const { code, stdout, stderr } = await bench(main, ["--only", "forward", "--json", "--kernels", "3", ...short]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^PyTorch is absent, .*--install-peers.*UNNOISE_PYTHON/) as string,
    });
    const { results, profiles } = report.parse(JSON.parse(stdout));
    expect(results.map(({ name, unit, peers, ratio }) => ({ name, unit, peers, ratio }))).toEqual([
      { name: "forward, batch 1", unit: "s", peers: {}, ratio: null },
    ]);
    expect(profiles).toHaveLength(1);
    expect(profiles[0].kernels).toHaveLength(3);
    expect(profiles[0].kinds.map(({ kind }) => kind)).toContain("convolution");
  });

  test.runIf(onPosix)(
    "takes turns with the peers that are named, and tells how far ahead of the best it is",
    async () => {
      const args = ["--only", "forward,process", "--json", "--peers", "eager,bf16", ...short];
      const { code, stdout, stderr } = await bench(main, args, withFakePeers);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { results } = report.parse(JSON.parse(stdout));
      const [forward, start, memory] = results;
      expect(results.map(({ unit }) => unit)).toEqual(["s", "s", "bytes"]);
      const thousand = { median: 1000, min: 1000, max: 1000 };
      expect(forward.peers).toEqual({
        "pytorch eager": { ...thousand, counts: true },
        "pytorch bf16 autocast": { ...thousand, counts: false },
      });
      expect(forward.ratio).toBeCloseTo(1000 / forward.ours.median, 6);
      expect(start.ours.min).toBeGreaterThan(0.1);
      expect(memory.ratio).toBeCloseTo(1e15 / memory.ours.median, 6);
      expect(memory.ours.min).toBeGreaterThan(50e6);
    },
  );

  test.runIf(onPosix)("measures a row of the table of sizes beside those that are as precise", async () => {
    const args = ["--only", "dim28-single", "--json", "--peers", "eager,bf16,openvino", "--rounds", "1"];
    const { code, stdout, stderr } = await bench(main, args, withFakePeers);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { results, profiles, sizes, geometricMeans } = report.parse(JSON.parse(stdout));
    const title = "28 channels, 28x28x1, batch 1";
    expect(results.map(({ name, peers }) => ({ name, peers: Object.keys(peers) }))).toEqual([
      { name: `train step, ${title}`, peers: ["pytorch eager"] },
      { name: `peak memory of the process, train step, ${title}`, peers: ["pytorch eager"] },
      { name: `forward, ${title}`, peers: ["pytorch eager", "openvino"] },
    ]);
    const [train, memory, forward] = results.map(({ ratio }) => ratio);
    expect(geometricMeans).toEqual({
      train: expect.closeTo(train ?? 0, 6) as number,
      forward: expect.closeTo(forward ?? 0, 6) as number,
      memory: expect.closeTo(memory ?? 0, 6) as number,
    });
    expect({ sizes, profiles }).toEqual({ sizes: ["dim28-single"], profiles: [] });
  });

  test.runIf(onPosix)(
    "leaves out peers that are absent, fail or compute something else, each with a line",
    async () => {
      const values = join(folder, "wrong.json");
      const forward = (await expectedValues(article("forward", 1))).with(700, 3);
      await writeFile(values, JSON.stringify({ forward }));
      const environment = { ...withFakePeers, FAKE_PEER_MISSING: "optax" };
      const peersOf = async (peers: string, more: NodeJS.ProcessEnv) => {
        const args = ["--only", "forward", "--json", "--peers", peers, ...short];
        const { code, stdout, stderr } = await bench(main, args, { ...environment, ...more });
        expect(code).toBe(0);
        return { peers: Object.keys(report.parse(JSON.parse(stdout)).results[0].peers), lines: stderr.split("\n") };
      };

      const failing = await peersOf("eager,bf16,jax,tfjs", { FAKE_PEER_FAILS: "eager" });
      expect(failing.peers).toEqual(["pytorch bf16 autocast"]);
      expect(failing.lines).toEqual([
        expect.stringMatching(/^JAX is absent, .*--install-peers --peers jax` .*UNNOISE_PYTHON/),
        expect.stringMatching(/^TensorFlow.js is absent, .*--install-peers --peers tfjs` [^_]*$/),
        'pytorch eager: RuntimeError: out of something; left out of "forward, batch 1"',
        "",
      ]);

      const wrong = await peersOf("eager", { FAKE_PEER_VALUES: values });
      expect(wrong.peers).toEqual([]);
      expect(wrong.lines).toEqual([
        expect.stringMatching(/^pytorch eager: forward must agree with ours within 0.0002, got \d\.\d+; left out of/),
        "",
      ]);
    },
  );

  test("says what is not installed to count machine code", async () => {
    const { code, stdout, stderr } = await bench(main, ["--only", "gpu-code", "--json"]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/(^|\n)gpu-code is left out: [^\n]* not installed \([^\n]*\)\n$/) as string,
    });
    expect(report.parse(JSON.parse(stdout)).results).toEqual([]);
  });

  test("refuses names that it does not know, and a Python that is none", async () => {
    const only = await bench(main, ["--only", "speed"]);
    expect(only.code).toBe(2);
    expect(only.stderr).toMatch(
      /made of train, forward, .*, cold, dim28, .*, dim64-single, ddpm-cifar10-32, ddpm-church-256, gpu-counts, gpu-code, sizes, pretrained, got "speed"/,
    );
    const peers = await bench(main, ["--peers", "pytorch,caffe"]);
    expect(peers.code).toBe(2);
    expect(peers.stderr).toMatch(/made of pytorch, all, none, eager, .*, jax-js, got "caffe"/);
    const python = await bench(main, ["--only", "forward"], { UNNOISE_PYTHON: process.execPath });
    expect(python.code).toBe(1);
    expect(python.stderr).toBe(`unnoise: UNNOISE_PYTHON must be a python, got ${process.execPath}\n`);
  });
});

describe("the referee", { timeout: 60_000 }, () => {
  test("wants as many values, all of them numbers", () => {
    expect(largestDifference([1, 2.5], [1, 2])).toBe(0.5);
    expect(largestDifference([1], [1, 2])).toBe(Infinity);
    expect(largestDifference([1, NaN], [1, 2])).toBeNaN();
  });

  test("compares the first images with one that gets fewer", async () => {
    const expected = await expectedValues(article("forward", 2));
    const { values, contestant } = { values: expected.slice(0, 28 * 28), contestant: ours({ threads: 1 }) };
    const ask = async <Answer>(schema: z.ZodType<Answer>) => schema.parse({ values });
    const referee = await Referee.create();
    try {
      await expect(referee.judge({ contestant, ask }, article("forward", 2))).rejects.toThrow("got Infinity");
      const slow = { ...contestant, mostImages: 1 };
      await expect(referee.judge({ contestant: slow, ask }, article("forward", 2))).resolves.toBeUndefined();
      values[0] += 0.001;
      const other = { ...slow, name: "other" };
      await expect(referee.judge({ contestant: other, ask }, article("forward", 2))).rejects.toThrow(
        /within 0.0002, got 0.00/,
      );
      const lessPrecise = { ...slow, name: "less precise", counts: false };
      await expect(referee.judge({ contestant: lessPrecise, ask }, article("forward", 2))).resolves.toBeUndefined();
    } finally {
      await referee.dispose();
    }
  });
});

describe("the table of sizes", () => {
  const rowOf = (title: string, factor: number, peers: readonly number[]) => {
    const spread = peers.map((value) => ({ name: `peer ${value}`, counts: true, samples: [value] }));
    const times = (ours: number) => benchResult(title, "s", [ours], spread);
    return { size: DEFAULT_SIZE, title, train: times(1), forward: times(factor), memory: times(2) };
  };

  test("shows the best peer of each, and the geometric mean of how far ahead of it we are", () => {
    const lines = sizeTable([rowOf("small", 0.5, [3, 2]), rowOf("large", 4, [9, 8])]).split("\n");
    expect(lines.map((line) => line.split(/ {2,}/).filter(Boolean))).toEqual([
      ["size", "train", "best peer", "ratio", "forward", "best peer", "ratio", "memory", "best peer", "ratio"],
      ["small", "1.00 s", "2.00 s", "2.00", "500 ms", "2.00 s", "4.00", "2.00 s", "2.00 s", "1.00"],
      ["large", "1.00 s", "8.00 s", "8.00", "4.00 s", "8.00 s", "2.00", "2.00 s", "8.00 s", "4.00"],
      ["geometric mean", "4.00", "2.83", "2.00"],
    ]);
  });

  test("has no mean where a row has nobody to compare with", () => {
    const last = sizeTable([rowOf("small", 1, [2]), rowOf("large", 1, [])])
      .split("\n")
      .at(-1);
    expect(last?.trim()).toBe("geometric mean");
  });
});

describe("unnoise bench", { timeout: 180_000 }, () => {
  test("prints the same kind of object", async () => {
    const { code, stdout, stderr } = await bench(cli, [
      "bench",
      "--json",
      "--only",
      "sampling",
      "--size",
      "dim16",
      ...short,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { results, profiles, environment } = report.parse(JSON.parse(stdout));
    expect(results.map(({ name }) => name)).toEqual(["sampling step, 16 channels, 28x28x1, batch 1"]);
    expect(profiles.map(({ kernels }) => kernels)).toEqual([[]]);
    expect(environment["device"]).toMatch(/^WebAssembly, /);
  });

  test("prints tables, and no profile for a device that has none", async () => {
    const { code, stdout } = await bench(cli, ["bench", "--only", "forward", "--device", "reference", ...short]);
    expect(code).toBe(0);
    const [device, empty, header, figures, ...rest] = stdout.split("\n");
    expect(device).toMatch(/^reference interpreter/);
    expect(empty).toBe("");
    expect(header).toMatch(/^forward, batch 1 +median +min +max +GFLOP\/s +images\/s$/);
    expect(figures).toMatch(/^ +[\d.]+ m?s( +[\d.]+ m?s){2}( +[\d.]+){2}$/);
    expect(rest).toEqual([""]);
  });
});
