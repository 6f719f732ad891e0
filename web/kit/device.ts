import { ReferenceBackend, createBackend } from "unnoise";
import type { Backend } from "unnoise";
import { chosenDevice } from "./chosen-device.ts";
import type { Device } from "./chosen-device.ts";

const opened = new Map<Device, Promise<Backend>>();

/** The backend that all figures of the page share, opened when the first of them needs it. */
export function pageBackend(): Promise<Backend> {
  const device = chosenDevice.value;
  const known = opened.get(device);
  if (known !== undefined) return known;
  const { root = "./", programs } = document.documentElement.dataset;
  const prepared = programs === undefined ? {} : { programs: new URL(root + programs, location.href) };
  const backend = createBackend({ device, ...prepared });
  opened.set(device, backend);
  backend.catch(() => opened.delete(device));
  return backend;
}

/**
 * Computes here and now, without a worker and without compiling: right for a few thousand numbers, as of one small picture.
 * Blocks the page while it computes.
 */
export const instantBackend: Backend = new ReferenceBackend();
