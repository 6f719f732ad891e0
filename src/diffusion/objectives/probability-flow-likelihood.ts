import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { defaultBackend } from "../../backend/default.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { normalRows } from "../../tensor/random.ts";
import { checkOptions } from "../../config/rules.ts";
import { checkDenoiser } from "../denoiser.ts";
import type { Denoiser } from "../denoiser.ts";
import { checkImages, checkedCount } from "../process/checks.ts";
import type { Process } from "../process/process.ts";
import { refuseLowres } from "../sampling/cascade.ts";
import { conditioningOf, conditionTypes } from "../sampling/conditioning.ts";
import type { GivenConditions } from "../sampling/conditioning.ts";
import { checkedImageSeed } from "../sampling/noise.ts";

export interface ProbabilityFlowOptions extends GivenConditions {
  /** Steps of the method of Runge and Kutta, each with four evaluations of the network; default 50. */
  readonly steps?: number;
  /**
   * How the divergence is found: `hutchinson`, the default, without bias by one random vector an image, whose error falls with
   * the number of pixels; or `exact`, by as many gradients as an image has values.
   */
  readonly trace?: "hutchinson" | "exact";
  /** Of the random vectors, a whole number below 2^32; without one, others each time. */
  readonly seed?: number;
  /** Where to compute; without one, on the default backend. */
  readonly backend?: Backend;
  /** Stops between two steps by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ProbabilityFlowLikelihood {
  /** log p(x) of each image as a point of continuous space, in nats. */
  readonly logLikelihood: Float64Array;
  /** Bits per dimension of images x = (byte + u) / 128 - 1 with u uniform in [0, 1). */
  readonly bitsPerDim: Float64Array;
}

/**
 * The likelihood of images under the probability flow, appendix D of Song et al. (2021, 2011.13456): images flow to noise, of
 * which the density is known, and what the flow spreads or gathers on the way is added up,
 *
 *     dX / du = rho epsilon(X),   log p_0(X) = log p_1(X) + integral of rho div epsilon du
 *
 * for X = x / alpha and u = log(rho), rho = sigma / alpha, from the least to the most noise that the process samples with. It is
 * exact up to the steps' error for the distribution of images with the least noise. A model with self-condition gets none.
 *
 * @param images f32 [images, height, width, channels], about [-1, 1]; all go through the network at once
 */
export async function probabilityFlowLikelihood(
  process: Process,
  model: Denoiser,
  images: NdArray,
  options: ProbabilityFlowOptions = {},
): Promise<ProbabilityFlowLikelihood> {
  checkDenoiser("probabilityFlowLikelihood", model);
  checkOptions("probabilityFlowLikelihood", options, {
    ...conditionTypes,
    steps: "number",
    trace: "string",
    seed: "number",
    backend: "object",
    signal: "object",
  });
  const [count, height, width] = images.shape;
  checkImages("probabilityFlowLikelihood: images", images, [count, height, width, model.channels]);
  refuseLowres("probabilityFlowLikelihood", model);
  const steps = checkedCount("probabilityFlowLikelihood: steps", options.steps ?? 50);
  const { trace = "hutchinson", signal } = options;
  if (trace !== "hutchinson" && trace !== "exact") {
    throw new Error(`probabilityFlowLikelihood: trace must be hutchinson or exact, got ${String(trace)}`);
  }
  const { conditions } = conditioningOf(model, images.shape, options);
  const { seed } = checkedImageSeed(options, count);
  const backend = options.backend ?? (await defaultBackend());
  const size = images.data.length / count;
  const flow = compile(backend, ({ x, probe, t, alpha, sigma, ...told }) => {
    const { prediction } = process.modelOutput(model, x, t, told);
    const xStart = process.xStartOf(prediction, x, { alpha, sigma });
    const epsilon = x.subtract(xStart.multiply(alpha)).divide(sigma);
    const [along] = grad(epsilon.multiply(probe).sum(), [x]);
    return { outputs: { epsilon, divergence: along.multiply(probe).sum([1, 2, 3]) } };
  });
  const probes = await probesOf(trace, images, backend, seed);

  /** rho epsilon and rho div epsilon at X. */
  const slopeAt = async (X: Float64Array, u: number): Promise<Slope> => {
    signal?.throwIfAborted();
    const rho = Math.exp(u);
    const { alpha, sigma, timestep } = process.levels.withRho(rho);
    const x = ndarray(
      Float32Array.from(X, (value) => alpha * value),
      images.shape,
    );
    const [t, a, s] = [timestep, alpha, sigma].map((value) => ndarray([value], []));
    const divergence = new Float64Array(count);
    let epsilon: NdArray = x;
    for (const probe of probes) {
      const found = await flow({ x, probe, t, alpha: a, sigma: s, ...conditions });
      epsilon = found.epsilon;
      for (let i = 0; i < count; i++) divergence[i] += rho * alpha * found.divergence.data[i];
    }
    return { images: Float64Array.from(epsilon.data, (value) => rho * value), divergence };
  };
  const [first, last] = process.levels.range.map(Math.log);
  const length = (last - first) / steps;
  let X = Float64Array.from(images.data);
  const logLikelihood = new Float64Array(count);
  try {
    for (let step = 0; step < steps; step++) {
      const u = first + step * length;
      const k1 = await slopeAt(X, u);
      const k2 = await slopeAt(moved(X, k1, length / 2), u + length / 2);
      const k3 = await slopeAt(moved(X, k2, length / 2), u + length / 2);
      const k4 = await slopeAt(moved(X, k3, length), u + length);
      for (const [k, share] of [
        [k1, 1],
        [k2, 2],
        [k3, 2],
        [k4, 1],
      ] as const) {
        X = moved(X, k, (length * share) / 6);
        for (let i = 0; i < count; i++) logLikelihood[i] += (length * share * k.divergence[i]) / 6;
      }
    }
  } finally {
    flow.dispose();
  }
  const { alpha, sigma } = process.levels.withRho(Math.exp(last));
  const deviation = Math.hypot(alpha, sigma) / alpha;
  for (let i = 0; i < count; i++) {
    const square = X.subarray(i * size, (i + 1) * size).reduce((sum, value) => sum + (value / deviation) ** 2, 0);
    logLikelihood[i] -= square / 2 + size * (Math.log(deviation) + Math.log(2 * Math.PI) / 2);
  }
  const bad = logLikelihood.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) {
    throw new Error(
      `probabilityFlowLikelihood: the model's output must be finite numbers, got others for image ${bad}`,
    );
  }
  return { logLikelihood, bitsPerDim: logLikelihood.map((nats) => 7 - nats / (size * Math.LN2)) };
}

interface Slope {
  readonly images: Float64Array;
  readonly divergence: Float64Array;
}

function moved(X: Float64Array, { images }: Slope, length: number): Float64Array<ArrayBuffer> {
  return Float64Array.from(X, (value, i) => value + length * images[i]);
}

/** Vectors v with which the sum of v^T J v is the trace of J: random ones (Hutchinson 1989), or those of the axes. */
async function probesOf(
  trace: "hutchinson" | "exact",
  { shape, data }: NdArray,
  backend: Backend,
  seed: number,
): Promise<readonly NdArray[]> {
  const size = data.length / shape[0];
  if (trace === "exact") {
    return Array.from({ length: size }, (_, k) =>
      ndarray(
        data.map((_, i) => (i % size === k ? 1 : 0)),
        shape,
      ),
    );
  }
  const draw = compile(backend, ({ seed, zero }) => ({
    outputs: { normal: normalRows([seed, zero], zero, shape) },
  }));
  const { normal } = await draw({ seed: ndarray([seed], [], "u32"), zero: ndarray([0], [], "u32") });
  draw.dispose();
  // Signs alone have the least variance.
  return [
    ndarray(
      Float32Array.from(normal.data, (value) => (value < 0 ? -1 : 1)),
      shape,
    ),
  ];
}
