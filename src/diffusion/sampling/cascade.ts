import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Conditions } from "../../models/conditions/declaration.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { RandomStream } from "../../tensor/random.ts";
import { meanOfBlocks, resizeBilinear } from "../../tensor/functions/resize.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkFinite } from "../process/checks.ts";
import type { ConditionArrays } from "./conditioning.ts";
import type { Denoiser } from "../denoiser.ts";
import type { Process } from "../process/process.ts";
import type { NoiseLevels } from "../process/noise-level.ts";
import { LOWRES_NOISE } from "./noise.ts";
import type { NoiseSource } from "../randomness/noise-source.ts";
import { noisedImages } from "./starting-images.ts";

/** What a stage of a cascade starts from: images of less resolution, such as those that the stage before has drawn. */
export interface LowresOptions {
  /** f32 [batchSize, height, width, channels], about [-1, 1], of any size; for a model with `lowresCond`. */
  readonly lowresCondImg?: NdArray | undefined;
  /**
   * How noisy the model is shown these, from 0 to 1: noise hides what the stage before did wrong. It means the same noise
   * whatever the diffusion, that of imagen-pytorch at this time of its linear schedule: sigma / alpha is 0.01 at 0, 0.7 at
   * 0.2 (the default), 3.3 at 0.5 and 148 at 1; or the nearest that the model knows.
   */
  readonly lowresSampleNoiseLevel?: number | undefined;
}

/**
 * What a stage of a cascade is shown in training, Algorithm 1 of Ho et al. (2021, 2106.15282): the images in less
 * resolution, scaled up again and in noise of any level, which the network is told.
 *
 * @param xStart [batch, height, width, channels]
 * @param factor how many times smaller they are in each side
 */
export function lowresConditions(
  process: Process,
  xStart: Tensor,
  factor: number,
  random: RandomStream,
): Pick<Conditions, "lowresCondImg" | "lowresNoiseTimes"> {
  const [batch, height, width] = xStart.shape;
  const scaled = resizeBilinear(meanOfBlocks(xStart, factor), height, width);
  const lowresNoiseTimes = process.drawTimes(random, batch);
  const noise = random.normal(xStart.shape);
  return { lowresCondImg: process.qSample(scaled, lowresNoiseTimes, noise), lowresNoiseTimes };
}

/**
 * What it is shown when it draws, Algorithm 2 there: the given images, scaled up and in noise of one level.
 *
 * @param shape of the images that are drawn
 * @throws one line if the model is no stage of a cascade, or is given none or other images
 */
export async function givenLowres(
  { conditions }: Denoiser,
  levels: NoiseLevels,
  { lowresCondImg, lowresSampleNoiseLevel: share = 0.2 }: LowresOptions,
  backend: Backend,
  shape: Shape,
  noise: NoiseSource,
): Promise<ConditionArrays> {
  const isStage = conditions?.lowresCondImg !== undefined;
  if (!isStage && !lowresCondImg) return {};
  if (!isStage) throw new Error("sample: got a lowresCondImg, but the model was made without lowresCond");
  if (!lowresCondImg) throw new Error("sample: a model with lowresCond needs a lowresCondImg");
  if (!(share >= 0 && share <= 1)) {
    throw new Error(`sample: lowresSampleNoiseLevel must be from 0 to 1, got ${share}`);
  }
  const [batch, height, width, channels] = shape;
  const { shape: given, dtype } = lowresCondImg;
  if (dtype !== "f32" || given.length !== 4 || given[0] !== batch || given[3] !== channels || given.includes(0)) {
    const need = `f32 [${batch},height,width,${channels}]`;
    throw new Error(`sample: lowresCondImg must be ${need}, got ${dtype} ${formatShape(given)}`);
  }
  checkFinite("sample: lowresCondImg", lowresCondImg);
  const scale = compile(backend, ({ images }) => ({ outputs: { scaled: resizeBilinear(images, height, width) } }));
  const { scaled } = await scale({ images: lowresCondImg });
  scale.dispose();
  const level = levels.nearest(lowresRho(share));
  const noisy = await noisedImages(backend, shape, noise.draw(LOWRES_NOISE), scaled, level);
  const times = ndarray(
    Array.from({ length: batch }, () => level.timestep),
    [batch],
    levels.timesteps === undefined ? "f32" : "i32",
  );
  return { lowresCondImg: noisy, lowresNoiseTimes: times };
}

/** log(SNR) = -log(expm1(1e-4 + 10 t^2)), `beta_linear_log_snr` of imagen-pytorch. */
function lowresRho(time: number): number {
  return Math.sqrt(Math.expm1(1e-4 + 10 * time ** 2));
}

/** @throws one line if the model is a stage of a cascade, which draws from images of less resolution alone */
export function refuseLowres(what: string, { conditions }: Denoiser): void {
  if (conditions?.lowresCondImg) throw new Error(`${what}: is not for a model with lowresCond`);
}
