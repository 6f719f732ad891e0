import type { Tensor } from "../../../tensor/tensor.ts";
import type { NoiseLevel, NoiseLevels } from "../../process/noise-level.ts";
import type { TimestepSpacing } from "../../process/timestep-spacing.ts";
import type { Combination } from "./combination.ts";

/**
 * One evaluation of the network and what follows from it: the next images, and what later steps will need. Only
 * numbers change from step to step, so that one compiled program takes every step of every sampler.
 */
export interface SamplerStep {
  /** The noise level of the images that the network is shown. */
  readonly level: NoiseLevel;
  /** The next images. */
  readonly x: Combination;
  /** The next contents of the memory; all steps of a sampler have equally many. */
  readonly memory?: readonly Combination[];
  /** With a learned variance: where the network answers v, z counts exp(varianceSpread v) times its factor. */
  readonly varianceSpread?: number;
  /** With a learned variance: where the network answers v, z counts sqrt(v) times its factor. All steps say the same. */
  readonly isVarianceItself?: boolean;
  /** For the sampler's {@link Transform}. */
  readonly numbers?: readonly number[];
  /** When inpainting: the noise level of the next images, at which what is known of them is put in. */
  readonly known?: NoiseLevel;
}

/** What a step has at hand, each shaped as the images. */
export interface AtHand {
  /** The images that the network was shown. */
  readonly x: Tensor;
  /** The clean images that it saw in them, kept within bounds. */
  readonly x0: Tensor;
  /** Fresh standard normal noise. */
  readonly z: Tensor;
  /** What earlier steps left. */
  readonly memory: readonly Tensor[];
}

/**
 * What becomes of that before it is combined, for samplers whose next images are no linear combination of it: a step whose
 * length follows from norms, or predictions that are kept within bounds. What an image becomes may depend on that image
 * alone.
 *
 * @param numbers scalars, those of the step
 */
export type Transform = (atHand: AtHand, numbers: readonly Tensor[]) => AtHand;

/** Share of fresh noise. */
export interface EtaOptions {
  /** Share of fresh noise, 0 to 1; default 0 for `ddim`, 1 for the others that take it. */
  readonly eta?: number;
}

/** How far apart the ends of steps are. */
export interface StrideOptions {
  /**
   * Timesteps that every step of `ddim` or `pndm` goes down, as diffusers' do, also where the next timestep that is visited
   * lies elsewhere; default: to that one.
   */
  readonly stride?: number;
}

/** How far a multistep method looks back. */
export interface OrderOptions {
  /** How many evaluations a step of `deis` (default 3), `lms` (4) or `uniPC` (2) looks back on, this one included. */
  readonly order?: number;
}

/** How a multistep method ends. */
export interface FinalOrdersOptions {
  /**
   * How many evaluations the last steps look back on at most, the last step's last: [2, 1] ends with a step of order 2 and
   * one of order 1, and [] with steps of the full order. Default: order by order down to 1 if the end is without noise, or
   * there are fewer than 15 steps.
   */
  readonly finalOrders?: readonly number[];
}

/**
 * A way from noise to images: which evaluations of the network, and what becomes of them. Computed before anything
 * runs, in float64.
 *
 * @param levels where to ask the network, the noisiest first, and where to arrive
 * @param known all that the network knows, for levels besides those
 */
export type Sampler<Options> = (levels: readonly NoiseLevel[], options: Options, known: NoiseLevels) => SamplerStep[];

/** All that is to be known of a sampler. */
export interface SamplerRow {
  readonly sampler: Sampler<never>;
  /** The options that it has a use for. */
  readonly takes: readonly string[];
  /** Its levels, if it is not told which; default those that the process prefers. */
  readonly spacing?: TimestepSpacing;
  /** All of its steps give equally many numbers to it. */
  readonly transform?: Transform;
}

/** A step of a walk through levels. */
export interface Interval {
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
  /** How many went before. */
  readonly index: number;
}

/**
 * The way back to more noise: x_t = scale x_s + sqrt(beta) z. Where alpha^2 + sigma^2 = 1, beta is 1 - scale^2.
 */
export function forward(s: NoiseLevel, t: NoiseLevel): { readonly scale: number; readonly beta: number } {
  const scale = t.alpha / s.alpha;
  return { scale, beta: Math.max(0, t.sigma ** 2 - (scale * s.sigma) ** 2) };
}

export function intervalsOf(levels: readonly NoiseLevel[]): Interval[] {
  return levels.slice(1).map((to, index) => ({ from: levels[index], to, index }));
}

/**
 * The same walk with each step by this many timesteps, instead of to the next level that is visited; to the last level where
 * no timesteps are left.
 */
export function stridesOf(levels: readonly NoiseLevel[], stride: number | undefined, known: NoiseLevels): Interval[] {
  const intervals = intervalsOf(levels);
  if (stride === undefined) return intervals;
  const arrival = arrivalsOf(levels, known);
  return intervals.map(({ from, index }) => ({ from, to: arrival(from.timestep - stride), index }));
}

/** The level of a timestep, and the last one where there is no such timestep any more. */
export function arrivalsOf(levels: readonly NoiseLevel[], known: NoiseLevels): (timestep: number) => NoiseLevel {
  return (timestep) => (timestep >= 0 ? known.at(timestep) : levels[levels.length - 1]);
}

/**
 * How many evaluations a multistep method uses in each interval: as many as there are, up to its order, and in the last ones
 * no more than `finalOrders` says.
 */
export function ordersOf(levels: readonly NoiseLevel[], order: number, finalOrders?: readonly number[]): number[] {
  const count = levels.length - 1;
  const last = finalOrders ?? usualFinalOrders(levels, order);
  return Array.from({ length: count }, (_, i) => Math.min(order, i + 1, last[last.length - count + i] ?? order));
}

/** Ever fewer towards an end that is without noise or near (Lu et al. 2022, 2211.01095). */
function usualFinalOrders(levels: readonly NoiseLevel[], order: number): number[] {
  const count = levels.length - 1;
  const endsGently = count < 15 || levels[count].sigma === 0;
  return endsGently ? Array.from({ length: order }, (_, i) => order - i) : [];
}

/** @throws unless eta is from 0 to 1 */
export function checkEta(sampler: string, eta: number): void {
  if (!(eta >= 0 && eta <= 1)) throw new Error(`${sampler}: eta must be from 0 to 1, got ${eta}`);
}

/** @throws unless all are whole numbers of at least 1 */
export function checkFinalOrders(sampler: string, finalOrders: readonly number[] = []): void {
  checkWholeNumbers(sampler, "finalOrders", finalOrders, 1);
}

/** @throws unless an option is a list of whole numbers of at least `least` */
export function checkWholeNumbers(sampler: string, name: string, list: readonly number[], least: number): void {
  const values: readonly (number | string)[] = Array.isArray(list)
    ? (list as readonly number[])
    : [`${String(list)}, which is none`];
  const wrong = values.find((value) => !(Number.isSafeInteger(value) && Number(value) >= least));
  if (wrong === undefined) return;
  throw new Error(`${sampler}: ${name} must be a list of whole numbers of at least ${least}, got ${wrong}`);
}

/** @throws unless there is none, or timesteps that it is a whole number of */
export function checkStride(sampler: string, stride: number | undefined, { timesteps }: NoiseLevels): void {
  if (stride === undefined) return;
  if (timesteps === undefined) throw new Error(`${sampler}: stride is for a model with timesteps, got ${stride}`);
  if (Number.isSafeInteger(stride) && stride >= 1 && stride <= timesteps) return;
  throw new Error(`${sampler}: stride must be a whole number from 1 to ${timesteps}, got ${stride}`);
}

/** @throws unless the order is a whole number from 1 to `most` */
export function checkOrder(sampler: string, order: number, most: number): void {
  if (Number.isSafeInteger(order) && order >= 1 && order <= most) return;
  throw new Error(`${sampler}: order must be a whole number from 1 to ${most}, got ${order}`);
}
