import { DRAWER_CODE, DRAWER_NAMES, PICTURE_NAMES, importsOf, pictureCode } from "../common/code.ts";
import type { PictureSource } from "../common/code.ts";

export function guessCode(source: PictureSource, t: number, seed: number): string {
  const own = ["compile", "concatenateArrays", "defaultBackend", "randn", "saveGrid"];
  return `${importsOf(...own, ...PICTURE_NAMES, ...DRAWER_NAMES)}
${DRAWER_CODE}if (!(diffusion instanceof GaussianDiffusion)) throw new Error("needs timesteps");
const gaussian = diffusion;
${pictureCode(source)}
const look = compile(await defaultBackend(), ({ picture, t, noise }) => {
  const noisy = gaussian.qSample(picture, t, noise);
  const { xStart: clean, noise: answer } = gaussian.modelPredictions(model, noisy, t);
  return { outputs: { noisy, clean, answer } };
});
const seen = await look({ picture, t: ndarray([${t}], [], "i32"), noise: randn(picture.shape, ${seed}) });
await saveGrid("guess.png", concatenateArrays([seen.noisy, seen.clean, seen.answer]), { scale: 8 });
`;
}
