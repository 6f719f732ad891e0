import { readFile, readdir, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { fileError } from "../io/file-errors.node.ts";
import { listCheckpoints } from "../training/run-directory.node.ts";
import { check } from "../training/rules.ts";
import { programName } from "./program-name.ts";
import { runSettings } from "./run-settings.ts";
import type { RunSettings } from "./run-settings.ts";

/** Where runs go that are given no other place. */
export const RUNS_DIRECTORY = "runs";

export async function hasCheckpoints(runDirectory: string): Promise<boolean> {
  return (await listCheckpoints(runDirectory)).length > 0;
}

/** The settings that `unnoise train` began a run with; undefined if the run was not begun by it. */
export async function recordedSettings(runDirectory: string): Promise<RunSettings | undefined> {
  const path = join(runDirectory, "config.json");
  if (!existsSync(path)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw fileError(path, "read", error);
  }
  return check(z.object({ command: z.optional(runSettings) }), content, path).command;
}

/** The first of runs/name, runs/name-2, ... that holds no run. */
export async function unusedRunDirectory(name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(RUNS_DIRECTORY, n === 1 ? name : `${name}-${n}`);
    if (!(await hasCheckpoints(path))) return path;
  }
}

/**
 * The run directory whose last checkpoint is the newest.
 *
 * @throws Error saying how to make one if there is none
 */
export async function latestRun(): Promise<string> {
  const names = await readdir(RUNS_DIRECTORY).catch(() => []);
  let latest: { readonly path: string; readonly time: number } | undefined;
  for (const name of names) {
    const path = join(RUNS_DIRECTORY, name);
    const [checkpoint] = await listCheckpoints(path).catch(() => []);
    if (checkpoint === undefined) continue;
    const { mtimeMs } = await stat(checkpoint.path);
    if (latest === undefined || mtimeMs > latest.time) latest = { path, time: mtimeMs };
  }
  if (latest !== undefined) return latest.path;
  throw new Error(
    `no run with a checkpoint in ${RUNS_DIRECTORY}/: train one with "${programName()} train", or name one with --checkpoint`,
  );
}
