import type { Expression, Store } from "../../../compiler/program.ts";

/** Whether a kernel's result goes to memory as it is. */
export function isPlainStore(stores: readonly Store[]): boolean {
  return stores.length === 1 && stores[0].value.kind === "result";
}

export function isPlainLoad(value: Expression): value is Extract<Expression, { kind: "load" }> {
  return value.kind === "load" && !value.row && value.dtype === "f32";
}
