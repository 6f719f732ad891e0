import { sha256 } from "../io/sha256.ts";
import type { Module } from "../nn/module/module.ts";

/** SHA-256 of a module's parameters, names and shapes included: equal for equal networks. */
export async function fingerprint(module: Module): Promise<string> {
  const lines: string[] = [];
  for (const [name, { shape, data }] of await module.stateDict()) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    lines.push(`${name} [${shape.join(",")}] ${await sha256(bytes)}`);
  }
  return sha256(new TextEncoder().encode(lines.join("\n")));
}
