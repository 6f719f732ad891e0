import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { garmentBytes } from "../common/page-data.ts";

const loaded = signal<Uint8Array | undefined>(undefined);

/** The garments of the page, once they are there. Whoever computes with them awaits `garmentBytes()`, and sees its faults. */
export function useGarments(): Signal<Uint8Array | undefined> {
  useEffect(() => {
    garmentBytes().then(
      (bytes) => (loaded.value = bytes),
      () => undefined,
    );
  }, []);
  return loaded;
}
