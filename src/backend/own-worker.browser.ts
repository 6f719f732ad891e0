import type { StartedWorker } from "./start-worker.browser.ts";

/**
 * Starts the script that a bundler, or the package itself, has beside this file. In `unnoise/browser` the script is
 * within the file, and scripts/bundle-browser.ts puts that in this module's place.
 */
export function startOwnWorker(): StartedWorker {
  const fault = "worker: the bundler left its script out: import unnoise/browser, or give createBackend a workerUrl";
  try {
    // Bundlers see a worker only where these are one expression.
    const worker = new Worker(new URL("./worker-entry.browser.js", import.meta.url), { type: "module" });
    return { worker, fault };
  } catch (error) {
    throw new Error(fault, { cause: error }); // a script that is no module does not know where it is
  }
}
