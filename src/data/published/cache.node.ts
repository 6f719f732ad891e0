import { homedir } from "node:os";
import { join } from "node:path";

/** Where downloaded data is kept: $UNNOISE_CACHE, or unnoise under $XDG_CACHE_HOME, or under ~/.cache. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { UNNOISE_CACHE: own, XDG_CACHE_HOME: shared } = environment;
  // An empty variable counts as not set.
  if (own) return own;
  const base = shared === undefined || shared === "" ? join(homedir(), ".cache") : shared;
  return join(base, "unnoise");
}
