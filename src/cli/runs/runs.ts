import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { readJson } from "../../io/json.node.ts";
import { check } from "../../config/rules.ts";
import { listCheckpoints, openCheckpoint } from "../../checkpoint/run-directory.node.ts";
import type { LatestCheckpoint } from "../../checkpoint/run-directory.node.ts";
import { isLocked } from "../../checkpoint/run-lock.node.ts";
import { print } from "../output/print.ts";
import { runSettings } from "./run-settings.ts";
import type { RunSettings } from "./run-settings.ts";

/** Where runs go that are given no other place. */
export const RUNS_DIRECTORY = "runs";

export async function hasCheckpoints(runDirectory: string): Promise<boolean> {
  return (await listCheckpoints(runDirectory)).length > 0;
}

/** The command that a run was begun with. */
export interface RecordedCommand {
  readonly settings: RunSettings;
  /** The directory that it was given in; undefined where an older version began the run. */
  readonly startedIn: string | undefined;
}

const recorded = z.object({ command: z.optional(runSettings), startedIn: z.optional(z.string()) });

/** What `unnoise train` began a run with; undefined if the run was not begun by it. */
export async function recordedCommand(runDirectory: string): Promise<RecordedCommand | undefined> {
  const path = join(runDirectory, "config.json");
  if (!existsSync(path)) return undefined;
  const { command, startedIn } = check(recorded, await readJson(path), path);
  return command && { settings: command, startedIn };
}

/** The first of runs/name, runs/name-2, ... that holds no run. */
export async function unusedRunDirectory(name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(RUNS_DIRECTORY, n === 1 ? name : `${name}-${n}`);
    if (!(await hasCheckpoints(path)) && !(await isLocked(path))) return path;
  }
}

/** The model that comes with the package: garments of ten classes, see data/fashion-mnist-classes/README.md. */
export const SHIPPED_MODEL = fileURLToPath(
  new URL("../../../data/fashion-mnist-classes/model.safetensors", import.meta.url),
);

/**
 * What a command takes whose user names no checkpoint: the run directory whose last checkpoint is the newest, or, where
 * nothing was trained yet, the model that comes with the package.
 */
export async function usualCheckpoint(options?: LatestRunOptions): Promise<string> {
  return (await latestRun(options)) ?? SHIPPED_MODEL;
}

/** Opens the checkpoint of a path, or the usual one, and says which it is. */
export async function announcedCheckpoint(
  path: string | undefined,
  { say = print, ...options }: LatestRunOptions & { readonly say?: (line: string) => void } = {},
): Promise<LatestCheckpoint> {
  const usual = path ?? (await usualCheckpoint(options));
  const found = await openCheckpoint(usual);
  for (const fault of found.faults) say(`passed over ${fault}`);
  const name = usual === SHIPPED_MODEL ? "the garments that come with unnoise" : found.path;
  say(`checkpoint ${name}, step ${found.checkpoint.step}`);
  return found;
}

export interface LatestRunOptions {
  /** Counts runs of classifiers too, which draw nothing; default false. */
  readonly withClassifiers?: boolean;
  /** Counts only runs of models that know classes, as the one that comes with the package does; default false. */
  readonly knowsClasses?: boolean;
}

/** The run directory whose last checkpoint is the newest, if there is one. */
async function latestRun(options: LatestRunOptions = {}): Promise<string | undefined> {
  const names = await readdir(RUNS_DIRECTORY).catch(() => []);
  let latest: { readonly path: string; readonly time: number } | undefined;
  for (const name of names) {
    const path = join(RUNS_DIRECTORY, name);
    const [checkpoint] = await listCheckpoints(path).catch(() => []);
    if (checkpoint === undefined || !(await counts(path, options))) continue;
    const { mtimeMs } = await stat(checkpoint.path);
    if (latest === undefined || mtimeMs > latest.time) latest = { path, time: mtimeMs };
  }
  return latest?.path;
}

async function counts(
  run: string,
  { withClassifiers = false, knowsClasses = false }: LatestRunOptions,
): Promise<boolean> {
  const settings = (await recordedCommand(run).catch(() => undefined))?.settings;
  if (knowsClasses && (settings?.model.numClasses ?? 0) === 0) return false;
  return withClassifiers || settings?.model.architecture !== "unetClassifier";
}
