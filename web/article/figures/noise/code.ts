import { PICTURE_NAMES, importsOf, pictureCode } from "../common/code.ts";
import type { PictureSource } from "../common/code.ts";
import type { NoiseSettings } from "./model.ts";

export function noiseCode(source: PictureSource, { schedule, timesteps, t, seed }: NoiseSettings): string {
  return `${importsOf("GaussianDiffusion", "evaluate", "literal", "randn", "saveGrid", "scalar", ...PICTURE_NAMES)}
${pictureCode(source)}
const diffusion = new GaussianDiffusion({ timesteps: ${timesteps}, betaSchedule: "${schedule}" });
const noise = literal(randn(picture.shape, ${seed}));
const noisy = diffusion.qSample(literal(picture), scalar(${t}, "i32"), noise);
await saveGrid("noise.png", await evaluate(noisy), { scale: 8 });
`;
}
