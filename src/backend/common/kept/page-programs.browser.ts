import type { ByteCache } from "../../backend.ts";
import { BrowserCache } from "./browser-cache.browser.ts";
import { COMPILER_VERSION } from "./compiler-version.ts";
import { PreparedPrograms } from "./prepared-programs.ts";

/** Some hundred programs. */
const MOST_BYTES = 2 ** 26;

/**
 * Where a page finds programs that it need not compile: in Cache Storage, as it compiled them before, and among those that
 * the site was built with.
 *
 * @param prepared address of the folder with the latter
 */
export function pagePrograms(prepared?: string): ByteCache | undefined {
  // Without https there are no digests.
  if (COMPILER_VERSION === undefined || !isSecureContext) return undefined;
  const compiler = COMPILER_VERSION;
  const own = new BrowserCache("unnoise-programs", MOST_BYTES);
  const built = prepared === undefined ? undefined : new PreparedPrograms(prepared, compiler);
  return {
    read: async (key) => (await own.read(`${compiler}-${key}`)) ?? built?.read(key),
    write: (key, bytes) => own.write(`${compiler}-${key}`, bytes),
  };
}
