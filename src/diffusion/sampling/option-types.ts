import { checkOptions } from "../../config/rules.ts";
import { takenBySamplers } from "../samplers/registry.ts";
import type { SamplerOptions } from "../samplers/registry.ts";
import { conditionTypes } from "./conditioning.ts";
import type { SampleOptions } from "./sample.ts";

type OwnName = Exclude<keyof SampleOptions, keyof SamplerOptions>;

/** Everything that `sample` takes, but for what samplers name themselves. */
const types = {
  ...conditionTypes,
  backend: "object",
  batchSize: "number",
  classifier: "object",
  classifierScale: "number",
  clipRange: "number",
  condScale: "number",
  firstIndex: "number",
  generator: "object",
  image: "array",
  imageSize: "any",
  init: "array",
  jumpLength: "number",
  levels: "any",
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
  startDeviation: "number",
  steps: "number",
  strength: "number",
  thresholdingMax: "number",
  thresholdingRatio: "number",
  timestepSpacing: "string",
  timesteps: "list",
} as const satisfies Readonly<Record<OwnName, string>>;

/**
 * What plain JavaScript may get wrong in a call.
 *
 * @param what names the call in errors
 * @param own what it takes besides the options of `sample`
 * @throws one line, if an option does not exist or is of another type
 */
export function checkCall(what: string, options: object, own: Parameters<typeof checkOptions>[2] = {}): void {
  const ofSamplers = Object.fromEntries(takenBySamplers().map((name) => [name, "any"] as const));
  checkOptions(what, options, { ...ofSamplers, ...types, ...own });
}
