import type { Backend, BackendOptions } from "./backend.ts";
import { RemoteBackend } from "./remote/remote-backend.ts";

/** What createBackend does in a browser. */
export async function openBackend({ device = "auto", threads }: BackendOptions): Promise<Backend> {
  if (device === "webgpu") throw new Error("webgpu: there is no such backend in browsers yet");
  const worker = new Worker(new URL("./host-entry.browser.js", import.meta.url), { type: "module" });
  return RemoteBackend.open(worker, { threads });
}
