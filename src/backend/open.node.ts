import type { Backend, BackendOptions } from "./backend.ts";

/** What createBackend does in Node. */
export async function openBackend({ device = "auto", threads }: BackendOptions): Promise<Backend> {
  if (device === "webgpu") throw new Error("webgpu: there is no such backend in Node yet");
  const { createWasmBackend } = await import("./wasm/wasm-backend.node.ts");
  return createWasmBackend({ threads });
}
