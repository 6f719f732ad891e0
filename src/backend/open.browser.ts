import type { Backend, BackendOptions } from "./backend.ts";
import { RemoteBackend } from "./remote/remote-backend.ts";

/** What createBackend does in a browser. */
export async function openBackend({ device, precision, threads, tune }: BackendOptions): Promise<Backend> {
  const worker = new Worker(new URL("./remote/host-entry.browser.js", import.meta.url), { type: "module" });
  return RemoteBackend.open(worker, { device, precision, threads, tune });
}
