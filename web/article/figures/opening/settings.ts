import type { DenoisingSettings } from "../denoising/model.ts";

/** Garments that are drawn at a time. */
export const GARMENTS_DRAWN = 16;
export const STEPS = 20;
/** What the page shows before anything is computed was drawn from this seed. */
export const FIRST_SEED = 1;

/** Garments of all classes in turn, the same from the same noise. */
export function openingSettings(seed: number): DenoisingSettings {
  const classes = Array.from({ length: GARMENTS_DRAWN }, (_, i) => i % 10);
  return { seed, steps: STEPS, eta: 0, batchSize: GARMENTS_DRAWN, classes };
}
