/** Lets settings that nobody has said follow from what was said, so that no error speaks of them. */
export function fitDefaults(
  { model, diffusion }: Record<string, unknown>,
  flags: Readonly<Record<string, unknown>>,
): void {
  if (flags.dim !== undefined) fitGroups(model as { dim?: number; resnetBlockGroups?: number });
  const of = diffusion as { timesteps?: number; samplingTimesteps?: number };
  if (flags.timesteps === undefined || flags.samplingTimesteps !== undefined) return;
  if ((of.samplingTimesteps ?? 0) > (of.timesteps ?? Infinity)) of.samplingTimesteps = of.timesteps;
}

/** Groups, which no flag says, divide the channels. Of networks without them there are none to fit. */
function fitGroups(model: { dim?: number; resnetBlockGroups?: number; architecture?: string }): void {
  const { dim, resnetBlockGroups = 4, architecture = "unet" } = model;
  if (dim === undefined || !architecture.startsWith("unet") || dim % resnetBlockGroups === 0) return;
  const smaller = Array.from({ length: resnetBlockGroups }, (_, i) => resnetBlockGroups - i);
  model.resnetBlockGroups = smaller.find((groups) => dim % groups === 0);
}
