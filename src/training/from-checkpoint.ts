import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../nn/unet.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { stateProblems, writeState } from "./state.ts";

/**
 * The trained model of a checkpoint.
 *
 * @param options.ema the averages of the parameters, if there are any; default true
 */
export async function modelFromCheckpoint(
  { config, model, ema }: Checkpoint,
  options: { readonly ema?: boolean | undefined } = {},
): Promise<Unet> {
  const unet = new Unet(config.model);
  const state = (options.ema ?? true) ? (ema ?? model) : model;
  const [problem] = stateProblems(unet.parameters(), state);
  if (problem !== undefined) throw new Error(`checkpoint: ${problem}`);
  await writeState(unet.parameters(), state);
  return unet;
}

/** The diffusion that a checkpoint's model was trained for, with the settings for sampling that it was given. */
export function diffusionFromCheckpoint({ config, betas }: Checkpoint): GaussianDiffusion {
  const { timesteps: _, ...settings } = config.diffusion; // as many as betas
  return new GaussianDiffusion({ ...settings, betas });
}
