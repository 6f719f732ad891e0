import { createBackend } from "unnoise";
import type { Backend, BackendOptions } from "unnoise";
import { say, select } from "./elements.ts";

const CHOICES: Readonly<Record<string, BackendOptions>> = {
  auto: { device: "auto" },
  webgpu: { device: "webgpu" },
  wasm: { device: "wasm" },
  "wasm-1": { device: "wasm", threads: 1 },
};

/** What was opened stays open: a training that began on a device can go on there. */
const opened = new Map<string, Backend>();

/** The backend of the device that is chosen. Models that were on another one come over by themselves. */
export async function chosenBackend(): Promise<Backend> {
  const choice = select("device").value;
  say("device-status", "starting …");
  try {
    const backend = opened.get(choice) ?? (await createBackend(CHOICES[choice]));
    opened.set(choice, backend);
    const { description, reason } = backend;
    say("device-status", reason === undefined ? description : `${description} (${reason})`);
    return backend;
  } catch (error) {
    say("device-status", "does not work here");
    throw error;
  }
}
