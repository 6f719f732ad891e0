import type { Backend, BackendOptions } from "../backend.ts";
import { requireSingle } from "./precision.ts";

/** How a platform opens its devices. */
export interface Openers {
  /** @param allowSoftware whether an adapter that computes on the CPU will do */
  readonly openGpu: (allowSoftware: boolean) => Promise<Backend>;
  /** @param reason why it is not a GPU */
  readonly openWasm: (reason: string | undefined) => Promise<Backend>;
}

/** Opens the device that is asked for; `auto` is a GPU in hardware where there is one, and else WebAssembly. */
export async function chooseDevice(
  { device = "auto", precision = "f32" }: Pick<BackendOptions, "device" | "precision">,
  { openGpu, openWasm }: Openers,
): Promise<Backend> {
  if (device === "webgpu") return openGpu(true);
  let reason: string | undefined;
  if (device === "auto") {
    try {
      return await openGpu(false);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  requireSingle(precision, "wasm", reason);
  return openWasm(reason);
}
