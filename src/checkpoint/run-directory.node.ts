import { mkdir, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removeTemporaries, writeFileAtomic } from "../io/atomic.node.ts";
import { errorCode, errorLine, fileError } from "../io/file-errors.node.ts";
import { readSafetensors, writeSafetensors } from "../io/safetensors/safetensors.node.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { MetricsFile } from "./metrics-file.node.ts";
import type { MetricsLine } from "./metrics.ts";
import type { RunConfig } from "./run-config.ts";
import { RunLock } from "./run-lock.node.ts";
import type { FoundCheckpoint, RunStore } from "./run-store.ts";
import { checkOptions } from "../config/rules.ts";

export interface RunDirectoryOptions {
  /** Checkpoints that stay, the last ones; 3 by default. */
  readonly keepCheckpoints?: number | undefined;
  /** More for config.json, such as the command that started the run. */
  readonly notes?: Readonly<Record<string, unknown>> | undefined;
}

export interface CheckpointFile {
  readonly step: number;
  readonly path: string;
}

/**
 * The files of a run: config.json, metrics.jsonl, samples/ and checkpoints/step-N.safetensors. Every file but the
 * metrics is written whole or not at all.
 */
export class RunDirectory implements RunStore {
  readonly path: string;
  readonly #options: RunDirectoryOptions;
  readonly #metrics: MetricsFile;
  #lock: RunLock | undefined;
  #faults: readonly string[] = [];

  /** Nothing is written before the run begins. */
  constructor(path: string, options: RunDirectoryOptions = {}) {
    checkOptions("RunDirectory", options, { keepCheckpoints: "number", notes: "object" });
    this.path = path;
    this.#options = options;
    this.#metrics = new MetricsFile(join(path, "metrics.jsonl"));
  }

  get samplesPath(): string {
    return join(this.path, "samples");
  }

  /**
   * Makes the directory and keeps other processes from writing into it, until `release` or the end of this process.
   *
   * @throws Error of one line if another process does
   */
  async lock(): Promise<void> {
    if (this.#lock !== undefined) return this.#lock.verify();
    await makeDirectory(this.path);
    this.#lock = await RunLock.take(this.path);
  }

  /** Lets others write into the directory. */
  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  async begin(config: RunConfig, step: number): Promise<void> {
    await makeDirectory(this.samplesPath);
    await makeDirectory(checkpointsOf(this.path));
    await this.lock();
    await Promise.all([this.path, this.samplesPath, checkpointsOf(this.path)].map(removeTemporaries));
    const content = { ...config, ...this.#options.notes };
    await writeFileAtomic(join(this.path, "config.json"), `${JSON.stringify(content, undefined, 2)}\n`);
    await this.#metrics.cutAfter(step);
  }

  async record(line: MetricsLine): Promise<void> {
    await this.#lock?.verify();
    await this.#metrics.append(line);
  }

  /** What was recorded, step by step. */
  metrics(): AsyncGenerator<MetricsLine> {
    return this.#metrics.lines();
  }

  async save(checkpoint: Checkpoint): Promise<string> {
    const path = join(checkpointsOf(this.path), `step-${checkpoint.step}.safetensors`);
    const { tensors, metadata } = await encodeCheckpoint(checkpoint);
    await this.#lock?.verify();
    await writeSafetensors(path, tensors, metadata);
    await this.#prune(checkpoint.step);
    return path;
  }

  async latest(): Promise<FoundCheckpoint | undefined> {
    const latest = await latestCheckpoint(this.path);
    this.#faults = latest?.faults ?? [];
    return latest;
  }

  /** Why `latest` passed newer files over, one line each. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  /** Leaves files of later steps alone: they are damaged ones, or of a newer version. */
  async #prune(step: number): Promise<void> {
    const files = (await listCheckpoints(this.path)).filter((file) => file.step <= step);
    for (const { path } of files.slice(this.#options.keepCheckpoints ?? 3)) {
      await unlink(path).catch((error: unknown) => {
        throw fileError(path, "write", error);
      });
    }
  }
}

export interface LatestCheckpoint extends FoundCheckpoint {
  /** Why newer files were passed over, one line each. */
  readonly faults: readonly string[];
}

/**
 * The valid checkpoint of the highest step in a run directory, or undefined where the directory has none.
 *
 * @throws Error naming the newest file if there are checkpoints and none is valid
 */
export async function latestCheckpoint(runDirectory: string): Promise<LatestCheckpoint | undefined> {
  const faults: string[] = [];
  for (const { path } of await listCheckpoints(runDirectory)) {
    try {
      return { checkpoint: await readCheckpoint(path), path, faults };
    } catch (error) {
      faults.push(errorLine(error));
    }
  }
  const [newest] = faults;
  if (newest === undefined) return undefined;
  throw new Error(`${newest}; ${runDirectory} has no other checkpoint that is valid`);
}

/**
 * Finds the checkpoint that a path means: a file, or a run directory's last one.
 *
 * @throws Error of one line if there is none
 */
export async function openCheckpoint(path: string): Promise<LatestCheckpoint> {
  const isDirectory = await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
  if (!isDirectory) return { checkpoint: await readCheckpoint(path), path, faults: [] };
  const latest = await latestCheckpoint(path);
  if (latest === undefined) throw new Error(`${path}: no checkpoints/step-N.safetensors in this directory`);
  return latest;
}

/**
 * Reads a checkpoint file.
 *
 * @throws Error of one line naming the file if it is missing, damaged, or no checkpoint of this library
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  return decodeCheckpoint(await readSafetensors(path), path);
}

function checkpointsOf(runDirectory: string): string {
  return join(runDirectory, "checkpoints");
}

/** The newest first. */
export async function listCheckpoints(runDirectory: string): Promise<CheckpointFile[]> {
  const folder = checkpointsOf(runDirectory);
  const names = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw fileError(folder, "list", error);
  });
  return names
    .flatMap((name) => {
      const step = /^step-(\d+)\.safetensors$/.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .toSorted((a, b) => b.step - a.step);
}

/** Makes a directory and those above it. Not mkdir's own recursion, which never ends where a file system refuses names. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await makeDirectoryIn(path);
  } catch (error) {
    throw fileError(path, "write", error);
  }
}

async function makeDirectoryIn(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT" && dirname(path) !== path) {
      await makeDirectoryIn(dirname(path));
      await mkdir(path);
    } else if (errorCode(error) === "EEXIST") {
      if (!(await stat(path)).isDirectory()) throw new Error("it is not a directory", { cause: error });
    } else throw error;
  }
}
