import type { Backend } from "./backend.ts";

let shared: Promise<Backend> | undefined;

/** The backend for callers who name none: one for the whole process, made when it is first asked for. */
export function defaultBackend(): Promise<Backend> {
  shared ??= import("./wasm/wasm-backend.node.ts").then(({ createWasmBackend }) => createWasmBackend());
  return shared;
}
