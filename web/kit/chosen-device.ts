import { signal } from "@preact/signals";

export type Device = "wasm" | "webgpu";

/** What figures compute on. WebAssembly works everywhere; a GPU is offered. */
export const chosenDevice = signal<Device>("wasm");
