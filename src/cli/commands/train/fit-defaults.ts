import { samplerOf } from "../../../diffusion/samplers/registry.ts";

interface OfSampling {
  readonly timesteps?: number;
  samplingTimesteps?: number;
  readonly sampling?: { readonly sampler: string; steps?: number; eta?: number };
}

type Flags = Readonly<Record<string, unknown>>;

/** Lets settings that nobody has said follow from what was said, so that no error speaks of them. */
export function fitDefaults({ model, diffusion }: Record<string, unknown>, flags: Flags): void {
  if (flags.dim !== undefined) fitGroups(model as { dim?: number; resnetBlockGroups?: number });
  fitSampling(diffusion as OfSampling, flags);
}

/** Steps and noise that flags ask for are those of a sampler too; steps that nobody asked for are no more than timesteps. */
function fitSampling(of: OfSampling, flags: Flags): void {
  const { sampling } = of;
  if (sampling && flags.samplingTimesteps !== undefined) sampling.steps = of.samplingTimesteps;
  if (sampling?.sampler !== undefined && typeof flags.eta === "number" && takesEta(sampling.sampler)) {
    sampling.eta = flags.eta;
  }
  const { timesteps = Infinity } = of;
  if (flags.timesteps === undefined || flags.samplingTimesteps !== undefined) return;
  if ((of.samplingTimesteps ?? 0) > timesteps) of.samplingTimesteps = timesteps;
  if ((sampling?.steps ?? 0) > timesteps && sampling) sampling.steps = timesteps;
}

function takesEta(sampler: string): boolean {
  return samplerOf(sampler).takes.includes("eta");
}

/** Groups, which no flag says, divide the channels. Of networks without them there are none to fit. */
function fitGroups(model: { dim?: number; resnetBlockGroups?: number; architecture?: string }): void {
  const { dim, resnetBlockGroups = 4, architecture = "unet" } = model;
  if (dim === undefined || !architecture.startsWith("unet") || dim % resnetBlockGroups === 0) return;
  const smaller = Array.from({ length: resnetBlockGroups }, (_, i) => resnetBlockGroups - i);
  model.resnetBlockGroups = smaller.find((groups) => dim % groups === 0);
}
