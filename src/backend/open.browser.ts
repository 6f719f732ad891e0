import type { Backend, BackendOptions } from "./backend.ts";
import { startOwnWorker } from "./own-worker.browser.ts";
import { RemoteBackend } from "./remote/remote-backend.ts";
import { startWorkerAt } from "./start-worker.browser.ts";

/** What createBackend does in a page. */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { device, precision, threads, tune, workerUrl } = options;
  const programs = options.programs === undefined ? undefined : folderAt(options.programs);
  const { worker, fault } =
    workerUrl === undefined ? startOwnWorker() : startWorkerAt(new URL(workerUrl, location.href));
  return RemoteBackend.open(worker, { device, precision, threads, tune, programs }, fault);
}

/** A folder's address, by which files in it are found. */
function folderAt(address: string | URL): string {
  const { href } = new URL(address, location.href);
  return href.endsWith("/") ? href : `${href}/`;
}
