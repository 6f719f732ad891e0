import type { Spread } from "./visited-levels.ts";

export interface SpreadConfig {
  readonly use_karras_sigmas?: boolean | null;
  readonly use_exponential_sigmas?: boolean | null;
  readonly use_beta_sigmas?: boolean | null;
  readonly sigma_min?: number | null | undefined;
  readonly sigma_max?: number | null | undefined;
}

/** Which of the ways to spread noise levels is asked for, if one is. */
export function spreadOf(config: SpreadConfig): Spread | undefined {
  if (config.use_karras_sigmas) return "karras";
  if (config.use_exponential_sigmas) return "exponential";
  return config.use_beta_sigmas ? "beta" : undefined;
}

/** @throws if there are several */
export function checkSpread(config: SpreadConfig): void {
  const names = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"] as const;
  const [first, second] = names.filter((name) => config[name]);
  if (second !== undefined) throw new Error(`${second} must be false beside ${first}, got true`);
}
