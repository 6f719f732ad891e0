import nodeModule from "node:module";
import { join } from "node:path";
import { cacheDirectory } from "../../data/published/cache.node.ts";

/**
 * Has Node keep what it makes of the source files that are loaded from now on: most of a command's start. Node may not be
 * able to, before 22.1 or where the directory is not writable; then it makes them anew.
 */
export function keepCode(): void {
  nodeModule.enableCompileCache?.(join(cacheDirectory(), "code"));
}
