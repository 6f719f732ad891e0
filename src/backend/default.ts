import type { Backend } from "./backend.ts";
import { ReferenceBackend } from "./reference/backend.ts";

let shared: Promise<Backend> | undefined;

/** The backend for callers who name none: one for the whole process, made when it is first asked for. */
export function defaultBackend(): Promise<Backend> {
  shared ??= Promise.resolve(ReferenceBackend.create());
  return shared;
}
