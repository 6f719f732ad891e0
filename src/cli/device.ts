import type { Backend } from "../backend/backend.ts";

export const deviceNames = ["auto", "webgpu", "wasm", "reference"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** Opens a device; `auto` is a GPU in hardware where there is one, else the processor. */
export async function openDevice(name: DeviceName): Promise<Backend> {
  if (name === "reference") {
    const { ReferenceBackend } = await import("../backend/reference/backend.ts");
    return ReferenceBackend.create();
  }
  const { openBackend } = await import("../backend/open.node.ts");
  return openBackend({ device: name });
}

/** Opens a device for as long as `use` takes. */
export async function withDevice<T>(name: DeviceName, use: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await openDevice(name);
  try {
    return await use(backend);
  } finally {
    await backend.close();
  }
}
