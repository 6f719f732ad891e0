import garmentsUrl from "virtual:garments";
import type { Backend } from "unnoise";
import type { Drawer } from "./drawer.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import { perBackend } from "./per-backend.ts";
import { shippedFrom } from "./shipped.ts";

const modelUrl = new URL("../../../../data/fashion-mnist-classes/model.safetensors", import.meta.url).href;

/** The model that comes with unnoise, fetched when the first figure asks for it. */
export const shipped = once(async () => shippedFrom(await fetchBytes(modelUrl)));

/** Bytes of the first garments of the test images, one after the other. */
export const garmentBytes = once(() => fetchBytes(garmentsUrl));

/** A drawer for one figure, with a diffusion of its own, which keeps that figure's programs. */
export function drawerOfFigure(): (backend: Backend) => Promise<Drawer> {
  return perBackend(async (backend) => {
    const { model, newDiffusion } = await shipped();
    return { model, diffusion: newDiffusion(), backend };
  });
}

/** Made once; what fails is tried again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    if (made !== undefined) return made;
    const fresh = make();
    made = fresh;
    fresh.catch(() => (made = undefined));
    return fresh;
  };
}
