import { checkOptions } from "../../config/rules.ts";
import type { TypeName } from "../../config/rules.ts";
import type { PlanOptions } from "./plan.ts";
import { takenBySamplers } from "./registry.ts";
import type { SamplerOptions } from "./registry.ts";

type OfWalk = "steps" | "timestepSpacing" | "sigmaMin" | "sigmaMax";

/** A way to draw that a diffusion keeps, in options of `sample`: a sampler, its levels, and what it takes. */
export interface UsualSampling
  extends Pick<PlanOptions, "sampler">, Partial<Pick<PlanOptions, OfWalk>>, SamplerOptions {}

const types = {
  sampler: "string",
  steps: "number",
  timestepSpacing: "string",
  sigmaMin: "number",
  sigmaMax: "number",
} as const satisfies Record<OfWalk | "sampler", TypeName>;

/**
 * What plain JavaScript, or a file, may get wrong. Whether sampler, levels and options go together a plan says.
 *
 * @throws one line, if an option does not exist, or is of another type or nothing that a file can hold
 */
export function checkUsualSampling(given: unknown): asserts given is UsualSampling {
  const ofSamplers = Object.fromEntries(takenBySamplers().map((name) => [name, "any"] as const));
  checkOptions("sampling", given as object, { ...ofSamplers, ...types });
  const named = given as Readonly<Record<string, string | number | boolean | readonly unknown[]>>;
  if (named.sampler === undefined) throw new Error("sampling: sampler must be given");
  for (const [name, value] of Object.entries(named)) {
    if (value === undefined || (Array.isArray(value) ? value : [value]).every(isPlain)) continue;
    throw new Error(
      `sampling: ${name} must be a finite number, a list of them, a word, true or false, got ${String(value)}`,
    );
  }
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/**
 * The options of a call with the usual ones for what it leaves out. They are for the usual sampler alone: a call that names
 * another one, or that inpaints and names none, goes without. Levels are spread as usual on whole ways from noise alone, so that
 * a share of the steps, `strength`, leaves as much of an image whatever is usual.
 */
export function withUsual(usual: UsualSampling | undefined, options: Partial<PlanOptions>): Partial<PlanOptions> {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as typeof options;
  if (!usual || (given.sampler ?? usual.sampler) !== usual.sampler) return given;
  if (given.resamples !== undefined && given.sampler === undefined) return given;
  const { timestepSpacing, sigmaMin: _, sigmaMax: __, ...others } = usual;
  const isSpreadOtherwise = (given.timestepSpacing ?? timestepSpacing) !== timestepSpacing || (given.strength ?? 1) < 1;
  return { ...(isSpreadOtherwise ? others : usual), ...given };
}
