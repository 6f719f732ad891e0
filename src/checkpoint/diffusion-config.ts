import * as z from "zod/mini";
import type { Diffusion } from "../diffusion/diffusion.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { varianceTypes } from "../diffusion/denoiser.ts";
import { lossTypes } from "../diffusion/objectives/loss-type.ts";
import { objectiveNames } from "../diffusion/objectives/objective.ts";
import { RectifiedFlow, timeDistributions } from "../diffusion/rectified-flow.ts";
import { ScoreDiffusion, sdeNames } from "../diffusion/score-diffusion.ts";
import type { Betas } from "../diffusion/process/schedules.ts";
import { checkUsualSampling } from "../diffusion/samplers/usual-sampling.ts";
import type { UsualSampling } from "../diffusion/samplers/usual-sampling.ts";
import { flag, numberWithin, oneOf, options, positiveNumber, wholeNumber, withDefault } from "../config/rules.ts";

/** How to draw unless told otherwise. Whether it goes together, the diffusion says that is made of it. */
const usualSampling = z.optional(
  z.custom<UsualSampling>((value) => samplingFault(value) === undefined, {
    error: ({ input }) => samplingFault(input),
  }),
);

function samplingFault(value: unknown): string | undefined {
  try {
    checkUsualSampling(value);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^sampling: /, "") : String(error);
  }
}

/** Every option of a GaussianDiffusion but the betas, which a checkpoint holds as a tensor. */
export const gaussianSettings = options({
  kind: withDefault(z.literal("gaussian"), "gaussian"),
  timesteps: wholeNumber(1),
  lossType: oneOf(lossTypes),
  varianceType: withDefault(oneOf(varianceTypes), "fixedSmall"),
  vbLossWeight: withDefault(numberWithin(0, Number.MAX_VALUE), 0.001),
  objective: oneOf(objectiveNames),
  clipDenoised: flag(),
  samplingTimesteps: wholeNumber(1),
  ddimSamplingEta: numberWithin(0, 1),
  minSnrLossWeight: withDefault(flag(), false),
  minSnrGamma: withDefault(positiveNumber(), 5),
  p2LossWeightGamma: withDefault(numberWithin(0, 100), 0),
  p2LossWeightK: withDefault(positiveNumber(), 1),
  sampling: usualSampling,
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
  sampling: usualSampling,
});

/** Every option of a RectifiedFlow. */
export const rectifiedFlowSettings = options({
  kind: z.literal("rectifiedFlow"),
  timeDistribution: withDefault(oneOf(timeDistributions), "uniform"),
  logitMean: withDefault(numberWithin(-16, 16), 0),
  logitStd: withDefault(positiveNumber(), 1),
  shift: withDefault(numberWithin(1e-3, 1e3), 1),
  samplingTimesteps: withDefault(wholeNumber(1), 50),
  clipDenoised: withDefault(flag(), true),
  sampling: usualSampling,
});

/** Every option of a ScoreDiffusion. */
export const scoreSettings = options({
  kind: z.literal("score"),
  sde: withDefault(oneOf(sdeNames), "ve"),
  sigmaMin: withDefault(positiveNumber(), 0.01),
  sigmaMax: withDefault(positiveNumber(), 50),
  betaMin: withDefault(positiveNumber(), 0.1),
  betaMax: withDefault(positiveNumber(), 20),
  samplingTimesteps: withDefault(wholeNumber(1), 1000),
  clipDenoised: withDefault(flag(), true),
  sampling: usualSampling,
});

/** Which diffusion a model is trained for. Those without a kind are of the time before there were two. */
export const diffusionSettings = z.discriminatedUnion("kind", [
  gaussianSettings,
  elucidatedSettings,
  rectifiedFlowSettings,
  scoreSettings,
]);

/** The kinds whose options say all about them. */
const kinds = {
  edm: { settings: elucidatedSettings, type: ElucidatedDiffusion },
  rectifiedFlow: { settings: rectifiedFlowSettings, type: RectifiedFlow },
  score: { settings: scoreSettings, type: ScoreDiffusion },
} as const;

export const diffusionKinds = ["gaussian", ...(Object.keys(kinds) as (keyof typeof kinds)[])] as const;

/** What a kind of diffusion can be told. */
export function settingsOfKind(kind: DiffusionConfig["kind"]): { readonly shape: Readonly<Record<string, unknown>> } {
  return kind === "gaussian" ? gaussianSettings : kinds[kind].settings;
}

export type DiffusionConfig = z.infer<typeof diffusionSettings>;

/** @throws one line, if the diffusion is of a kind that no checkpoint can name */
export function diffusionConfigOf(diffusion: Diffusion): DiffusionConfig {
  if (diffusion instanceof GaussianDiffusion) return settingsOf(gaussianSettings, "gaussian", diffusion);
  for (const [kind, { settings, type }] of Object.entries(kinds)) {
    if (diffusion instanceof type) return settingsOf(settings, kind as keyof typeof kinds, diffusion);
  }
  const names = [GaussianDiffusion, ...Object.values(kinds).map(({ type }) => type)].map(({ name }) => name);
  throw new Error(`Trainer: can keep runs of a ${names.join(", a ")}, got another diffusion`);
}

/** @param betas of a `gaussian` one */
export function diffusionOfConfig(config: DiffusionConfig, betas?: Betas): Diffusion {
  if (config.kind !== "gaussian") {
    const { kind, ...options } = config;
    return new (kinds[kind].type as new (options: object) => Diffusion)(options);
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
function settingsOf<Schema extends z.ZodMiniType & { readonly shape: object }>(
  schema: Schema,
  kind: DiffusionConfig["kind"],
  diffusion: Diffusion,
): z.output<Schema> {
  const named = Object.entries(diffusion).filter(([name]) => Object.hasOwn(schema.shape, name));
  return z.parse(schema, { kind, ...Object.fromEntries(named) });
}
