import { join } from "node:path";
import { checkNotLocked } from "../../../checkpoint/run-lock.node.ts";
import { isImageCollection, isSameData } from "../../flags/images/dataset.ts";
import { checkPretrainedFlags } from "../../flags/pretrained.ts";
import type { PretrainedFlags } from "../../flags/pretrained.ts";
import type { State } from "../../../optim/state.ts";
import { checkDirectory } from "../../output/targets.ts";
import { defaultPreset, presetNamed } from "../../presets/all.ts";
import { photosPreset } from "../../presets/photos.ts";
import { unet2dPreset } from "../../presets/unet2d.ts";
import { RUNS_DIRECTORY, hasCheckpoints, recordedCommand, unusedRunDirectory } from "../../runs/runs.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import { changesOf, checkKeeps } from "./changes.ts";
import { isPretrained, startedFrom } from "./started-from.ts";
import { resolveSettings } from "./flags.ts";
import type { FlagValues } from "./flags.ts";

/** Where a run goes and what it is: a new one, or one to go on with. */
export interface PlannedRun {
  readonly path: string;
  readonly settings: RunSettings;
  /** The directory that a relative `data` starts from. */
  readonly startedIn: string;
  /** What a run that goes on was begun with. */
  readonly recorded?: RunSettings;
  /** Whose weights a new run starts from. */
  readonly initFrom?: State | undefined;
  /** What flags have changed in that. */
  readonly changes: readonly string[];
}

export interface PlanFlags extends FlagValues, PretrainedFlags {
  readonly preset?: string;
  readonly data?: string;
  readonly out?: string;
  readonly resume: boolean;
  readonly discardEma?: boolean;
  readonly from?: string;
}

/** @throws Error of one line if what is there is another run than the flags ask for, or in use */
export async function planRun(flags: PlanFlags): Promise<PlannedRun> {
  const chosen = await withPreset(flags);
  // Flags of a run that goes on are for its settings, which may be of another kind than a preset's.
  const fresh = (): RunSettings => resolveSettings(chosen);
  const preset = chosen.preset === undefined ? defaultPreset : presetNamed(chosen.preset);
  const startedIn = process.cwd();
  const path = flags.out ?? join(RUNS_DIRECTORY, preset.name);
  await checkDirectory(path);
  const isThere = await hasCheckpoints(path);
  if (isThere && !flags.resume) {
    if (flags.out === undefined) {
      return { path: await unusedRunDirectory(preset.name), ...(await begun(fresh(), flags)), startedIn, changes: [] };
    }
    throw new Error(`${path} holds a run already: name another --out, or leave --no-resume away to go on with it`);
  }
  await checkNotLocked(path);
  const command = isThere ? await recordedCommand(path) : undefined;
  if (command === undefined) return { path, ...(await begun(fresh(), flags)), startedIn, changes: [] };
  const recorded = command.settings;
  if (flags.preset !== undefined && flags.preset !== recorded.preset) {
    throw new Error(`${path} is a run of preset ${recorded.preset}, not ${flags.preset}: name another --out`);
  }
  const known = { data: recorded.data, startedIn: command.startedIn };
  const data = flags.data ?? preset.settings.data;
  const goesOn = flags.data === undefined || isSameData({ data }, known);
  if (flags.out === undefined && !goesOn) {
    throw new Error(`${path} is a run on ${recorded.data}, not ${data}: name another --out`);
  }
  const resolved = resolveSettings(flags, recorded);
  const settings = goesOn ? { ...resolved, data: recorded.data } : resolved;
  checkKeeps(path, recorded, settings, flags.discardEma ?? false);
  return {
    path,
    settings,
    startedIn: goesOn ? (command.startedIn ?? startedIn) : startedIn,
    recorded,
    changes: changesOf(recorded, settings),
  };
}

/** A run that is not there yet. */
async function begun(
  settings: RunSettings,
  flags: PlanFlags,
): Promise<{ readonly settings: RunSettings; readonly initFrom?: State }> {
  return flags.from === undefined ? { settings } : startedFrom(flags.from, settings, flags);
}

/** Networks of diffusers have a preset of their own, and so have images of any size. */
async function withPreset(flags: PlanFlags): Promise<PlanFlags> {
  const { preset, data, from } = flags;
  checkPretrainedFlags(flags, from);
  if (preset === undefined && from !== undefined && (await isPretrained(from))) {
    return { ...flags, preset: unet2dPreset.name };
  }
  if (preset !== undefined || typeof data !== "string" || !(await isImageCollection(data))) return flags;
  return { ...flags, preset: photosPreset.name };
}
