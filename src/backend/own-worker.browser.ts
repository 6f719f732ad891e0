/**
 * Starts the script that a bundler, or the package itself, has beside this file. In `unnoise/browser` the script is
 * within the file, and scripts/bundle-browser.ts puts that in this module's place.
 */
export function startOwnWorker(): Worker {
  // Bundlers see a worker only where these are one expression.
  return new Worker(new URL("./worker-entry.browser.js", import.meta.url), { type: "module" });
}
