import { sha256 } from "./digest.ts";

const DIGEST_BYTES = 32;

/** Bytes behind their digest, so that what was damaged or cut off on its way is known as such. */
export async function seal(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const sealed = new Uint8Array(DIGEST_BYTES + bytes.length);
  sealed.set(await sha256(bytes));
  sealed.set(bytes, DIGEST_BYTES);
  return sealed;
}

/** What was sealed; nothing if these are other bytes. */
export async function unseal(sealed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = sealed.slice(DIGEST_BYTES);
  const digest = await sha256(bytes);
  return digest.every((byte, i) => byte === sealed[i]) ? bytes : undefined;
}
