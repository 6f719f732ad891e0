import { check, flag, oneOf, options, wholeNumber } from "../config/rules.ts";
import * as z from "zod/mini";
import type { BackendOptions } from "./backend.ts";
import { precisions } from "./common/precision.ts";

const address = z.union([z.string(), z.instanceof(URL)], { error: "must be an address" });

const backendOptions = options({
  device: z.optional(oneOf(["auto", "webgpu", "wasm"])),
  precision: z.optional(oneOf(precisions)),
  threads: z.optional(wholeNumber(1)),
  tune: z.optional(flag()),
  workerUrl: z.optional(address),
  programs: z.optional(address),
  cache: z.optional(z.custom<object>(isObject, { error: "must have read and write" })),
  tileCache: z.optional(z.custom<object>(isObject, { error: "must have read and write" })),
  log: z.optional(z.custom<object>((value) => typeof value === "function", { error: "must be a function" })),
});

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && "read" in value && "write" in value;
}

/** @throws Error of one line if an option does not exist or has no value that it can have */
export function checkBackendOptions(given: BackendOptions): void {
  check(backendOptions, given, "createBackend");
}
