import type { RunSettingsInput } from "../runs/run-settings.ts";

/** Settings with a name, all of which a flag can change. */
export interface Preset {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly settings: Omit<RunSettingsInput, "preset">;
}
