import { readFile } from "node:fs/promises";
import { createBackend, fashionMnist } from "unnoise";
import { GARMENTS, SIDE } from "./garment-sizes.ts";
import type { Drawer } from "./drawer.ts";
import { shippedFrom } from "./shipped.ts";

/** What the page fetches: the first garments of the test images. */
export async function firstGarments(): Promise<Uint8Array> {
  const bytes = new Uint8Array(GARMENTS * SIDE ** 2);
  await (
    await fashionMnist({ split: "test" })
  ).read(
    Array.from({ length: GARMENTS }, (_, i) => i),
    bytes,
  );
  return bytes;
}

export async function nodeDrawer(): Promise<Drawer> {
  const url = new URL("../../../../data/fashion-mnist-classes/model.safetensors", import.meta.url);
  const { model, newDiffusion } = await shippedFrom(await readFile(url));
  return { model, diffusion: newDiffusion(), backend: await createBackend({ device: "wasm", threads: 1 }) };
}
