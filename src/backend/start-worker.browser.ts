/** Starts a worker with a script of any origin, which has to allow it (CORS) where that is not the page's own. */
export function startWorkerAt(url: URL): Worker {
  if (url.origin === location.origin) return new Worker(url, { type: "module" });
  // A worker's script has to be of the page's origin; what it imports need not be.
  return startWorkerOf(`import ${JSON.stringify(url.href)};`);
}

const addresses = new Map<string, string>();

/** Starts a worker with the text of a script. */
export function startWorkerOf(script: string): Worker {
  // Never revoked: the worker starts its threads from its own address.
  const address = addresses.get(script) ?? URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  addresses.set(script, address);
  return new Worker(address, { type: "module" });
}
