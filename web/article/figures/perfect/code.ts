import { DRAWER_CODE, DRAWER_NAMES, importsOf } from "../common/code.ts";
import { GARMENTS } from "../common/garment-sizes.ts";

export function perfectCode(garment: number, t: number, seed: number): string {
  const own = ["compile", "concatenateArrays", "defaultBackend", "fashionMnist", "fromBytes", "literal", "ndarray"];
  return `${importsOf(...own, "randn", "saveGrid", "softmax", ...DRAWER_NAMES)}import type { Denoiser, Tensor } from "unnoise";

${DRAWER_CODE}if (!(diffusion instanceof GaussianDiffusion)) throw new Error("needs timesteps");
const gaussian = diffusion;

// A world of ${GARMENTS} garments.
const bytes = new Uint8Array(${GARMENTS} * 28 * 28);
await (await fashionMnist({ split: "test" })).read(Array.from({ length: ${GARMENTS} }, (_, i) => i), bytes);
const world = ndarray(fromBytes(bytes), [${GARMENTS}, 28 * 28]);

// How probable each of them is behind x, and so the best guess there is: their mean.
const perfect: Denoiser = {
  channels: 1,
  forward(x: Tensor, t: Tensor): Tensor {
    const { alpha, sigma } = gaussian.levelAt(t, x);
    const [a, s] = [alpha.reshape([-1, 1]), sigma.reshape([-1, 1])];
    const pictures = literal(world);
    const squares = pictures.square().sum(1).reshape([1, ${GARMENTS}]);
    const products = x.reshape([-1, 28 * 28]).matmul(pictures.transpose());
    const logits = a.multiply(products).subtract(a.square().multiply(squares).multiply(0.5)).divide(s.square());
    return gaussian.predictNoise(x, t, softmax(logits).matmul(pictures).reshape(x.shape));
  },
};

const look = compile(await defaultBackend(), ({ picture, t, noise }) => {
  const noisy = gaussian.qSample(picture, t, noise);
  const guess = (denoiser: Denoiser) => gaussian.modelPredictions(denoiser, noisy, t).xStart;
  return { outputs: { noisy, best: guess(perfect), learned: guess(model) } };
});
const picture = ndarray(world.data.slice(${garment} * 784, ${garment + 1} * 784), [1, 28, 28, 1]);
const seen = await look({ picture, t: ndarray([${t}], [], "i32"), noise: randn(picture.shape, ${seed}) });
await saveGrid("perfect.png", concatenateArrays([seen.noisy, seen.best, seen.learned]), { scale: 8 });
`;
}
