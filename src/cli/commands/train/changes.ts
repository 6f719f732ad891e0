import { settingFlags } from "./flags.ts";
import type { RunSettings } from "../../runs/run-settings.ts";

/** What flags have changed in the settings of a run, by the flags' names: `--lr 0.001 -> 0.0001`. */
export function changesOf(recorded: RunSettings, settings: RunSettings): string[] {
  // Of a flag and its --no- the first names the setting.
  const byPath = new Map(settingFlags.toReversed().map(({ path, option }) => [path, option.long ?? path]));
  return [...byPath].toReversed().flatMap(([path, name]) => {
    const [before, after] = [recorded, settings].map((of) => shown(valueAt(of, path.split("."))));
    return before === after ? [] : [`${name} ${before} -> ${after}`];
  });
}

/**
 * @param discardsEma whether --discard-ema was given
 * @throws Error of one line if a change would throw away what cannot be had again
 */
export function checkKeeps(path: string, recorded: RunSettings, settings: RunSettings, discardsEma: boolean): void {
  if (recorded.training.emaDecay === 0 || settings.training.emaDecay > 0 || discardsEma) return;
  throw new Error(
    `--ema-decay 0: would throw away the averaged weights that ${path} draws its samples with; give --discard-ema too if that is meant`,
  );
}

function valueAt(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value;
  if (typeof value !== "object" || value === null) return undefined;
  return valueAt((value as Readonly<Record<string, unknown>>)[key], rest);
}

function shown(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value).replaceAll(/[[\]]/g, "");
}
