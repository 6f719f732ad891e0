import { fetchBytes } from "../common/fetch-bytes.ts";

/** Kinds of garments to learn, and where their images lie: fetched when they are chosen. */
const addresses = {
  trousers: () => import("virtual:garments/small/1"),
  dress: () => import("virtual:garments/small/3"),
  bag: () => import("virtual:garments/small/8"),
  "ankle boot": () => import("virtual:garments/small/9"),
} as const;

export type Kind = keyof typeof addresses;

/** With the numbers of their classes. */
export const kinds: readonly { readonly name: Kind; readonly label: number }[] = [
  { name: "ankle boot", label: 9 },
  { name: "trousers", label: 1 },
  { name: "dress", label: 3 },
  { name: "bag", label: 8 },
];

/** A thousand images of 14 x 14 bytes. */
export async function smallGarments(kind: Kind): Promise<Uint8Array> {
  return fetchBytes((await addresses[kind]()).default);
}
