import type { Backend, BackendOptions } from "./backend.ts";
import { isNode, loadOpener } from "./opener.ts";
import { checkBackendOptions } from "./options.ts";

/**
 * Opens a device to run programs on; `description` says which one it is. In a browser it works in a Web Worker, so that
 * the page stays responsive.
 *
 * @throws Error of one line if an option is wrong, or this device does not work here
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  checkBackendOptions(options);
  const { openBackend } = await loadOpener();
  return openBackend(options);
}

let shared: Promise<Backend> | undefined;

/**
 * The backend for callers who name none: one for the whole process or page, made when it is first asked for, and anew
 * where that failed or somebody closed it. In Node it is WebAssembly: nobody closes it, and a GPU's driver would keep
 * the process from ending until somebody does.
 */
export function defaultBackend(): Promise<Backend> {
  shared = shared === undefined ? open() : shared.then((backend) => (backend.isClosed ? open() : backend), open);
  return shared;
}

function open(): Promise<Backend> {
  return createBackend({ device: isNode() ? "wasm" : "auto" });
}
