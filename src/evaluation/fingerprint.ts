import type { Module } from "../nn/module.ts";

/** SHA-256 of a module's parameters, names and shapes included: equal for equal networks. */
export async function fingerprint(module: Module): Promise<string> {
  const lines: string[] = [];
  for (const [name, { shape, data }] of await module.stateDict()) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    lines.push(`${name} [${shape.join(",")}] ${hex(await crypto.subtle.digest("SHA-256", bytes))}`);
  }
  return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n"))));
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
