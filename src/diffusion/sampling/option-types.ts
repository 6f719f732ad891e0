import { checkOptions } from "../../config/rules.ts";
import { takenBySamplers } from "../samplers/registry.ts";
import type { SamplerOptions } from "../samplers/registry.ts";
import type { SampleOptions } from "./sample.ts";

type OwnName = Exclude<keyof SampleOptions, keyof SamplerOptions>;

/** Everything that `sample` takes, but for what samplers name themselves. */
const types = {
  backend: "object",
  batchSize: "number",
  classes: "numbers",
  classifier: "object",
  classifierScale: "number",
  condScale: "number",
  conditions: "object",
  context: "array",
  contextMask: "array",
  firstIndex: "number",
  image: "array",
  imageSize: "any",
  init: "array",
  jumpLength: "number",
  lowresCondImg: "array",
  lowresSampleNoiseLevel: "number",
  mask: "array",
  onStep: "function",
  resamples: "number",
  rescaledPhi: "number",
  returnSteps: "any",
  sampler: "string",
  seed: "number",
  sigmaMax: "number",
  sigmaMin: "number",
  signal: "object",
  start: "array",
  steps: "number",
  strength: "number",
  timestepSpacing: "string",
  timesteps: "list",
  vector: "array",
} as const satisfies Readonly<Record<OwnName, string>>;

/**
 * What plain JavaScript may get wrong in a call.
 *
 * @param what names the call in errors
 * @throws one line, if an option does not exist or is of another type
 */
export function checkCall(what: string, options: object): void {
  const ofSamplers = Object.fromEntries(takenBySamplers().map((name) => [name, "any"] as const));
  checkOptions(what, options, { ...ofSamplers, ...types });
}
