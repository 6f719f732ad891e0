/** A worker that has been started, and what to say in one line if its script turns out not to load. */
export interface StartedWorker {
  readonly worker: Worker;
  readonly fault: string;
}

/** Starts a worker with a script of any origin, which has to allow it (CORS) where that is not the page's own. */
export function startWorkerAt(url: URL): StartedWorker {
  const fault = `worker: ${url.href} could not be loaded as a script`;
  if (url.origin === location.origin) return { worker: new Worker(url, { type: "module" }), fault };
  // A worker's script has to be of the page's origin; what it imports need not be.
  const { worker } = startWorkerOf(`import ${JSON.stringify(url.href)};`);
  return { worker, fault: `${fault}: it is of another origin and needs the header Access-Control-Allow-Origin` };
}

const addresses = new Map<string, string>();

/** Starts a worker with the text of a script. */
export function startWorkerOf(script: string): StartedWorker {
  // Never revoked: the worker starts its threads from its own address.
  const address = addresses.get(script) ?? URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  addresses.set(script, address);
  return {
    worker: new Worker(address, { type: "module" }),
    fault: "worker: the page's Content-Security-Policy must allow worker-src blob:, or createBackend needs a workerUrl",
  };
}
