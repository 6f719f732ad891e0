declare const deliver: (message: unknown) => void;

/** Starts the worker that backends live in; the test outside is who it answers. */
function startHost(): (message: unknown) => void {
  // Vite sees a worker only where these are one expression.
  const worker = new Worker(new URL("../../../src/backend/worker-entry.browser.ts", import.meta.url), {
    type: "module",
  });
  worker.addEventListener("message", ({ data }) => deliver(data));
  return (message) => worker.postMessage(message);
}

Object.assign(globalThis, { startHost });
