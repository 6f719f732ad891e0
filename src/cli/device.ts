import type { Backend } from "../backend/backend.ts";

export const deviceNames = ["auto", "wasm", "reference"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** Opens a device; `auto` is the fastest that works here. */
export async function openDevice(name: DeviceName): Promise<Backend> {
  if (name === "reference") {
    const { ReferenceBackend } = await import("../backend/reference/backend.ts");
    return ReferenceBackend.create();
  }
  const { defaultBackend } = await import("../backend/default.ts");
  const backend = await defaultBackend();
  if (name === "auto" || backend.name === name) return backend;
  throw new Error(`--device ${name} does not work here; auto picks ${backend.name}`);
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
