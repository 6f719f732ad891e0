import { PICTURE_NAMES, importsOf, pictureCode } from "../common/code.ts";
import type { WalkSettings } from "./model.ts";

export function walksCode(
  garment: number,
  pixel: number,
  steps: number,
  { timesteps, walks, seed }: WalkSettings,
): string {
  return `${importsOf("GaussianDiffusion", "compile", "defaultBackend", "randn", ...PICTURE_NAMES)}
${pictureCode({ garment })}
const diffusion = new GaussianDiffusion({ timesteps: ${timesteps}, betaSchedule: "linear" });
const backend = await defaultBackend();
const step = compile(backend, ({ x, t, noise }) => ({ outputs: { x: diffusion.qStep(x, t, noise) } }));
const jump = compile(backend, ({ x, t, noise }) => ({ outputs: { x: diffusion.qSample(x, t, noise) } }));
const at = (t: number) => ndarray([t], [], "i32");

// ${walks} copies of one pixel, each with noise of its own.
const start = ndarray(new Float32Array(${walks}).fill(picture.data[${pixel}]), [${walks}]);
let walked = start;
for (let t = 0; t < ${steps}; t++) {
  ({ x: walked } = await step({ x: walked, t: at(t), noise: randn(start.shape, ${seed * timesteps} + t) }));
}
const { x: jumped } = await jump({ x: start, t: at(${Math.max(steps - 1, 0)}), noise: randn(start.shape, ${2 ** 32 - 1 - seed}) });

for (const { data } of [walked, jumped]) {
  const mean = Array.from(data).reduce((sum, value) => sum + value, 0) / data.length;
  const variance = Array.from(data).reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
  console.log("mean", mean, "deviation", Math.sqrt(variance));
}
`;
}
