import * as z from "zod/mini";
import type { Diffusion } from "../diffusion/diffusion.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import type { Betas } from "../diffusion/process/schedules.ts";
import { flag, numberWithin, oneOf, options, positiveNumber, wholeNumber, withDefault } from "../config/rules.ts";

/** Every option of a GaussianDiffusion but the betas, which a checkpoint holds as a tensor. */
export const gaussianSettings = options({
  kind: withDefault(z.literal("gaussian"), "gaussian"),
  timesteps: wholeNumber(1),
  lossType: oneOf(["l1", "l2", "huber", "vlb"]),
  varianceType: withDefault(oneOf(["fixedSmall", "fixedLarge", "learnedRange"]), "fixedSmall"),
  vbLossWeight: withDefault(numberWithin(0, Number.MAX_VALUE), 0.001),
  objective: oneOf(["predNoise", "predX0", "predV"]),
  clipDenoised: flag(),
  samplingTimesteps: wholeNumber(1),
  ddimSamplingEta: numberWithin(0, 1),
  minSnrLossWeight: withDefault(flag(), false),
  minSnrGamma: withDefault(positiveNumber(), 5),
  p2LossWeightGamma: withDefault(numberWithin(0, 100), 0),
  p2LossWeightK: withDefault(positiveNumber(), 1),
});

/** Every option of an ElucidatedDiffusion. */
export const elucidatedSettings = options({
  kind: z.literal("edm"),
  sigmaData: withDefault(positiveNumber(), 0.5),
  pMean: withDefault(numberWithin(-100, 100), -1.2),
  pStd: withDefault(positiveNumber(), 1.2),
  sigmaMin: withDefault(positiveNumber(), 0.002),
  sigmaMax: withDefault(positiveNumber(), 80),
  samplingTimesteps: withDefault(wholeNumber(1), 18),
  clipDenoised: withDefault(flag(), true),
});

/** Which diffusion a model is trained for. Those without a kind are of the time before there were two. */
export const diffusionSettings = z.discriminatedUnion("kind", [gaussianSettings, elucidatedSettings]);

export type DiffusionConfig = z.infer<typeof diffusionSettings>;

/** @throws one line, if the diffusion is of a kind that no checkpoint can name */
export function diffusionConfigOf(diffusion: Diffusion): DiffusionConfig {
  if (diffusion instanceof GaussianDiffusion) return settingsOf(gaussianSettings, "gaussian", diffusion);
  if (diffusion instanceof ElucidatedDiffusion) return settingsOf(elucidatedSettings, "edm", diffusion);
  throw new Error("Trainer: can keep runs of a GaussianDiffusion or an ElucidatedDiffusion, got another");
}

/** @param betas of a `gaussian` one */
export function diffusionOfConfig(config: DiffusionConfig, betas: Betas | undefined): Diffusion {
  if (config.kind === "edm") {
    const { kind: _, ...options } = config;
    return new ElucidatedDiffusion(options);
  }
  if (!betas) throw new Error("internal: no betas for a GaussianDiffusion");
  const { kind: _, timesteps: __, ...settings } = config; // as many timesteps as betas
  return new GaussianDiffusion({ ...settings, betas });
}

/** The betas of a diffusion that has some. */
export function betasOf(diffusion: Diffusion): Betas | undefined {
  return diffusion instanceof GaussianDiffusion ? diffusion.schedule.betas : undefined;
}

/** The options that a schema names. */
function settingsOf<Shape extends z.core.$ZodShape>(
  schema: z.ZodMiniObject<Shape>,
  kind: DiffusionConfig["kind"],
  diffusion: Diffusion,
): z.output<z.ZodMiniObject<Shape>> {
  const named = Object.entries(diffusion).filter(([name]) => Object.hasOwn(schema.shape, name));
  return z.parse(schema, { kind, ...Object.fromEntries(named) });
}
