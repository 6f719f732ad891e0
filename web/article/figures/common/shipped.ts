import {
  GaussianDiffusion,
  decodeCheckpoint,
  diffusionFromCheckpoint,
  modelFromCheckpoint,
  parseSafetensors,
} from "unnoise";
import type { DiffusionModel } from "unnoise";

/** The model of garments that comes with unnoise. */
export interface Shipped {
  readonly model: DiffusionModel;
  /** Another object each time, which keeps programs of its own, of the process that the model was trained for. */
  readonly newDiffusion: () => GaussianDiffusion;
  readonly classNames: readonly string[];
}

/** @param bytes of data/fashion-mnist-classes/model.safetensors */
export async function shippedFrom(bytes: Uint8Array): Promise<Shipped> {
  const checkpoint = await decodeCheckpoint(parseSafetensors(bytes), "model.safetensors");
  const newDiffusion = (): GaussianDiffusion => {
    const diffusion = diffusionFromCheckpoint(checkpoint);
    if (diffusion instanceof GaussianDiffusion) return diffusion;
    throw new Error("model.safetensors: needs a diffusion with timesteps");
  };
  const { classNames = [] } = checkpoint.config.dataset;
  return { model: await modelFromCheckpoint(checkpoint), newDiffusion, classNames };
}
