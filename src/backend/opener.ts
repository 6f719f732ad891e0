import type { Backend, BackendOptions } from "./backend.ts";

export interface Opener {
  readonly openBackend: (options: BackendOptions) => Promise<Backend>;
}

// No literal in the import: a bundler for browsers would follow it.
const forNode = "./open.node.ts";

/** What opens devices where this runs. In `unnoise/browser` it is always the page's (scripts/bundle-browser.ts). */
export async function loadOpener(): Promise<Opener> {
  return isNode()
    ? ((await import(/* @vite-ignore */ /* webpackIgnore: true */ forNode)) as Opener)
    : import("./open.browser.ts");
}

/**
 * Whether this is Node rather than a page. A page may have Node's `process`, as in Electron, and a test in Node may have
 * a `document`, as of jsdom: only a page has a document and workers.
 */
export function isNode(): boolean {
  const isPage = typeof document === "object" && typeof Worker === "function";
  return !isPage && typeof process === "object" && process.versions?.node !== undefined;
}
