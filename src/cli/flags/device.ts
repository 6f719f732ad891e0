import { Option } from "commander";
import type { Backend } from "../../backend/backend.ts";
import { DeviceLost } from "../../backend/common/device-lost.ts";
import { precisions, requireSingle } from "../../backend/common/precision.ts";
import type { Precision } from "../../backend/common/precision.ts";
import { programCache } from "../caches/program-cache.ts";
import { tileCache } from "../caches/tile-cache.ts";

export const deviceNames = ["auto", "webgpu", "wasm", "reference"] as const;
export type DeviceName = (typeof deviceNames)[number];

export interface DeviceFlags {
  readonly device: DeviceName;
  /** Single unless given. */
  readonly precision?: Precision;
  /** Whether a GPU's kernels are tuned when they are compiled. */
  readonly tune?: boolean;
}

export function precisionOption(): Option {
  const meaning = "f16 computes in half precision where that is safe; only with webgpu";
  return new Option("--precision <name>", meaning).choices(precisions).default("f32");
}

export function tuneOption(): Option {
  const meaning = "measure on a GPU which tiles are the fastest when kernels are compiled; what is found is kept";
  return new Option("--tune", meaning);
}

/**
 * Opens a device; `auto` is a GPU in hardware where there is one, else the processor.
 *
 * @param log is told how tuning gets on
 */
export async function openDevice(flags: DeviceFlags, log = complain): Promise<Backend> {
  const { device, precision = "f32", tune } = flags;
  if (device === "reference") {
    requireSingle(precision, device);
    const { ReferenceBackend } = await import("../../backend/reference/backend.ts");
    return ReferenceBackend.create();
  }
  const { openBackend } = await import("../../backend/open.node.ts");
  return openBackend({ device, precision, cache: programCache(), tune, tileCache: tileCache(), log });
}

/** What it computes on, and why on nothing faster. */
export function describeDevice({ description, reason }: Backend): string {
  return reason === undefined ? description : `${description} (${reason})`;
}

/** Opens a device for as long as `use` takes. */
export async function withDevice<T>(flags: DeviceFlags, use: (backend: Backend) => Promise<T>): Promise<T> {
  return useAndClose(await openDevice(flags), use);
}

/**
 * Does work that can be done again from where it was saved last: if the device is lost, once more on a fresh one.
 *
 * @param opened the device to begin with
 */
export async function withSpareDevice<T>(
  opened: Backend,
  reopen: () => Promise<Backend>,
  say: (line: string) => void,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  try {
    return await useAndClose(opened, use);
  } catch (error) {
    if (!(error instanceof DeviceLost)) throw error;
    say(`${error.message}; trying once more with a fresh one, from the last checkpoint`);
    return useAndClose(await reopen(), use);
  }
}

async function useAndClose<T>(backend: Backend, use: (backend: Backend) => Promise<T>): Promise<T> {
  try {
    return await use(backend);
  } finally {
    await backend.close();
  }
}

/** Where output may be a file of numbers. */
function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
