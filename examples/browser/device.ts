import { createBackend } from "unnoise";
import type { Backend, BackendOptions } from "unnoise";
import { say, select } from "./elements.ts";

const CHOICES: Readonly<Record<string, BackendOptions>> = {
  auto: { device: "auto" },
  webgpu: { device: "webgpu" },
  wasm: { device: "wasm" },
  "wasm-1": { device: "wasm", threads: 1 },
};

let opened: { readonly choice: string; readonly backend: Backend } | undefined;

/** The backend of the device that is chosen. Models that were on another one come over by themselves. */
export async function chosenBackend(): Promise<Backend> {
  const choice = select("device").value;
  if (opened?.choice === choice) return opened.backend;
  const before = opened;
  opened = undefined;
  say("device-status", "starting …");
  await before?.backend.close();
  try {
    opened = { choice, backend: await createBackend(CHOICES[choice]) };
  } catch (error) {
    say("device-status", "does not work here");
    throw error;
  }
  const { description, reason } = opened.backend;
  say("device-status", reason === undefined ? description : `${description} (${reason})`);
  return opened.backend;
}
