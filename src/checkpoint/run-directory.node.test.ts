import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../io/safetensors/safetensors.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../models/unet/unet.ts";
import { memoryDataset } from "../data/dataset.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { RunDirectory, latestCheckpoint, readCheckpoint } from "./run-directory.node.ts";
import { configOf } from "./run-config.ts";
import { check } from "../config/rules.ts";
import { trainingSettings } from "./training-settings.ts";

const model = new Unet({
  dim: 4,
  channels: 1,
  dimMults: [1],
  resnetBlockGroups: 2,
  attentionHeads: 1,
  attentionDimHead: 4,
});
const diffusion = new GaussianDiffusion({ timesteps: 10, betaSchedule: "cosine" });
const dataset = memoryDataset({ name: "gray", images: new Uint8Array(32).fill(128), shape: [2, 4, 4, 1] });
const settings = check(trainingSettings, { batchSize: 2, learningRate: 1e-3 }, "settings");
const config = configOf(model, diffusion, settings, dataset);

async function checkpointAt(step: number): Promise<Checkpoint> {
  const state = await model.stateDict();
  const bias = { shape: [], dtype: "f32", data: Float32Array.of(step) } as const;
  return {
    step,
    config,
    betas: Float64Array.from(diffusion.schedule.betas),
    position: { epoch: step, position: 0, length: 2 },
    model: state,
    ema: state,
    optimizer: new Map([["bias_correction1", bias]]),
  };
}

const line = (step: number) => ({ step, epoch: 1, loss: 0.5, learningRate: 1e-3, imagesPerSecond: 9 });
const checkpointFile = (run: string, step: number) => join(run, "checkpoints", `step-${step}.safetensors`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-run-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function runWith(name: string, steps: readonly number[], keepCheckpoints?: number): Promise<RunDirectory> {
  const run = new RunDirectory(join(folder, name), { keepCheckpoints });
  await run.begin(config, 0);
  for (const step of steps) await run.save(await checkpointAt(step));
  return run;
}

describe("a checkpoint", () => {
  test("comes back from its file as it was", async () => {
    const run = await runWith("round-trip", [7]);
    expect(await readCheckpoint(checkpointFile(run.path, 7))).toEqual(await checkpointAt(7));
  });

  test("holds the model under its PyTorch names", async () => {
    const run = await runWith("names", [1]);
    const { tensors } = await readSafetensors(checkpointFile(run.path, 1));
    for (const [name, { shape, data }] of await model.stateDict()) {
      const tensor = tensors.get(name);
      expect(tensor?.shape).toEqual(shape);
      expect(tensor && toFloat32(tensor)).toEqual(data);
    }
    const others = [...tensors.keys()].filter((name) => !model.parameters().has(name));
    expect(others.every((name) => /^(ema|optimizer|diffusion)\./.test(name))).toBe(true);
  });

  test("is refused in one line if it is cut off, changed, of another kind or missing", async () => {
    const run = await runWith("damaged", [1, 2]);
    await truncate(checkpointFile(run.path, 1), 5000);
    await expect(readCheckpoint(checkpointFile(run.path, 1))).rejects.toThrow(/step-1\.safetensors: damaged [^\n]+$/);

    const bytes = await readFile(checkpointFile(run.path, 2));
    bytes[bytes.length - 100] ^= 1;
    await writeFile(checkpointFile(run.path, 2), bytes);
    await expect(readCheckpoint(checkpointFile(run.path, 2))).rejects.toThrow(
      "step-2.safetensors: damaged checkpoint: its checksum does not fit its content",
    );

    const foreign = join(folder, "foreign.safetensors");
    await writeSafetensors(foreign, new Map([["w", { dtype: "F32", shape: [1], data: Float32Array.of(1) }]]));
    await expect(readCheckpoint(foreign)).rejects.toThrow("foreign.safetensors: not a checkpoint of unnoise");
    await expect(readCheckpoint(join(folder, "none.safetensors"))).rejects.toThrow("no such file");
  });
});

describe("a run directory", () => {
  test("keeps the last checkpoints by their steps", async () => {
    const run = await runWith("kept", [5, 10, 15, 100], 2);
    expect((await readdir(join(run.path, "checkpoints"))).toSorted()).toEqual([
      "step-100.safetensors",
      "step-15.safetensors",
    ]);
  });

  test("goes on from the highest checkpoint that is valid and says which ones are not", async () => {
    const run = await runWith("passed-over", [9, 10, 11]);
    await writeFile(checkpointFile(run.path, 11), "not a checkpoint");
    const latest = await latestCheckpoint(run.path);
    expect(latest?.checkpoint.step).toBe(10);
    expect(latest?.faults).toHaveLength(1);
    expect(latest?.faults[0]).toContain("step-11.safetensors: ");
    // A new checkpoint is not the one to go, although the damaged one has a higher step.
    await new RunDirectory(run.path, { keepCheckpoints: 1 }).save(await checkpointAt(10));
    expect((await latestCheckpoint(run.path))?.checkpoint.step).toBe(10);
  });

  test("is an error if all its checkpoints are damaged, and empty if it has none", async () => {
    const run = await runWith("all-damaged", [3]);
    await writeFile(checkpointFile(run.path, 3), "");
    await expect(latestCheckpoint(run.path)).rejects.toThrow("has no other checkpoint that is valid");
    expect(await latestCheckpoint(join(folder, "nothing"))).toBeUndefined();
  });

  test("writes the config, and the metrics only up to the step that the run goes on from", async () => {
    const run = new RunDirectory(join(folder, "metrics"), { notes: { command: { preset: "tiny" } } });
    await run.begin(config, 0);
    for (const step of [1, 2, 3, 4]) await run.record(line(step));
    const path = join(run.path, "metrics.jsonl");
    await writeFile(path, `${await readFile(path, "utf8")}{"step":5,"ep`);
    await run.begin(config, 2);
    await run.record(line(3));
    const steps = (await readFile(path, "utf8"))
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as unknown);
    expect(steps).toEqual([line(1), line(2), line(3)]);
    const told: unknown[] = [];
    for await (const recorded of run.metrics()) told.push(recorded);
    expect(told).toEqual(steps);
    expect(JSON.parse(await readFile(join(run.path, "config.json"), "utf8"))).toEqual({
      ...config,
      command: { preset: "tiny" },
    });
  });

  test("loses what a process that was killed while it wrote has left, and nothing else", async () => {
    const run = await runWith("left", [1]);
    const left = [
      ".config.json.0a1b2c3d.tmp",
      "checkpoints/.step-2.safetensors.ffffffff.tmp",
      "samples/.a.png.01234567.tmp",
    ];
    const kept = [".notes.tmp", "mine.tmp", "samples/.gitignore"];
    for (const name of [...left, ...kept]) await writeFile(join(run.path, name), "");
    await run.begin(config, 1);
    const names = await readdir(run.path, { recursive: true });
    for (const name of left) expect(names).not.toContain(name);
    for (const name of kept) expect(names).toContain(name);
  });

  test("is not written by two of one process: the first that was there refuses", async () => {
    const first = await runWith("twice", [1]);
    const second = new RunDirectory(first.path);
    await second.begin(config, 1);
    await second.record(line(2));
    await expect(first.record(line(2))).rejects.toThrow(/twice: another training has begun to write here/);
    await expect(first.save(await checkpointAt(2))).rejects.toThrow("another training has begun");
    expect(await readdir(join(first.path, "checkpoints"))).toEqual(["step-1.safetensors"]);
    second.release();
  });

  test("names the path that cannot be written", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(new RunDirectory(join(file, "run")).begin(config, 0)).rejects.toThrow(
      `${join(file, "run", "samples")}: cannot write: a part of the path is not a directory`,
    );
  });
});
