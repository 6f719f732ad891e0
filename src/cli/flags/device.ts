import { Option } from "commander";
import type { Command } from "commander";
import { wholeNumber } from "../../config/rules.ts";
import type { Backend } from "../../backend/backend.ts";
import { precisions, requireSingle } from "../../backend/common/precision.ts";
import type { PrecisionOption } from "../../backend/common/precision.ts";
import { complain } from "../output/print.ts";
import { numberFlag } from "./flags.ts";
import { programCache } from "../caches/program-cache.ts";
import { tileCache } from "../caches/tile-cache.ts";

export const deviceNames = ["auto", "webgpu", "wasm", "reference"] as const;
export type DeviceName = (typeof deviceNames)[number];

export interface DeviceFlags {
  readonly device: DeviceName;
  /** On the processor; all that it runs at once without it. */
  readonly threads?: number;
  /** Single unless given. */
  readonly precision?: PrecisionOption;
  /** Whether a GPU's kernels are tuned when they are compiled. */
  readonly tune?: boolean;
}

/**
 * Adds the flags that say what to compute on. Of several commands with `precision` and `tune` only those have them whose
 * results may differ a little.
 */
export function addDeviceFlags(command: Command, more: { precision?: boolean; tune?: boolean } = {}): Command {
  command
    .addOption(
      new Option("--device <name>", "what to compute on; auto: a GPU in hardware, or else the processor")
        .choices(deviceNames)
        .default("auto"),
    )
    .addOption(
      new Option(
        "--threads <n>",
        "threads on the processor (default: UNNOISE_THREADS, or as many as run at once); results are the same",
      ).argParser(numberFlag(wholeNumber(1))),
    );
  if (more.precision === true) {
    const meaning =
      "strict: 3x3 convolutions with smaller errors, slower on the processor; f16: half precision where that is safe, only with webgpu";
    command.addOption(new Option("--precision <name>", meaning).choices(precisions).default("f32"));
  }
  if (more.tune === true) {
    const meaning = "measure on a GPU which tiles are the fastest when kernels are compiled; what is found is kept";
    command.option("--tune", meaning);
  }
  return command;
}

/**
 * Opens a device; `auto` is a GPU in hardware where there is one, else the processor.
 *
 * @param log is told how tuning gets on
 */
export async function openDevice(flags: DeviceFlags, log = complain): Promise<Backend> {
  const { device, precision = "f32", tune, threads } = flags;
  if (threads !== undefined && (device === "reference" || device === "webgpu")) {
    throw new Error(`--threads: is for the processor, --device wasm, got --device ${device}`);
  }
  if (device === "reference") {
    requireSingle(precision, device);
    const { ReferenceBackend } = await import("../../backend/reference/backend.ts");
    return ReferenceBackend.create();
  }
  const { openBackend } = await import("../../backend/open.node.ts");
  return openBackend({ device, precision, threads, cache: programCache(), tune, tileCache: tileCache(), log });
}

/** What it computes on, and why on nothing faster. */
export function describeDevice({ description, reason }: Backend): string {
  return reason === undefined ? description : `${description} (${reason})`;
}

/** Opens a device for as long as `use` takes. */
export async function withDevice<T>(flags: DeviceFlags, use: (backend: Backend) => Promise<T>): Promise<T> {
  return useAndClose(await openDevice(flags), use);
}

async function useAndClose<T>(backend: Backend, use: (backend: Backend) => Promise<T>): Promise<T> {
  try {
    return await use(backend);
  } finally {
    await backend.close();
  }
}
