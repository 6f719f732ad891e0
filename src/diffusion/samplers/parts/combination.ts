import type { NoiseLevel } from "../../process/noise-level.ts";
import { rhoOf } from "../../process/noise-level.ts";

/** A sum of multiples of what a step has at hand. A factor that is not named is 0. */
export interface Combination {
  /** Factor of the images that the network was shown. */
  readonly x?: number;
  /** Factor of the clean images that it saw in them, kept within bounds. */
  readonly x0?: number;
  /** Factor of the clean images that it saw in them, as it saw them. */
  readonly predicted?: number;
  /** Factor of fresh standard normal noise. */
  readonly z?: number;
  /** Factors of what earlier steps left in memory. */
  readonly memory?: readonly number[];
}

export const x: Combination = { x: 1 };
export const x0: Combination = { x0: 1 };
export const z: Combination = { z: 1 };

/** What the step before put into a place of the memory, counted from 0. */
export function memory(place: number): Combination {
  return { memory: Array.from({ length: place + 1 }, (_, i) => (i === place ? 1 : 0)) };
}

/**
 * A value of this step, and those of the steps before it from `places` places of the memory, the newest first. All but
 * the last are what the memory must hold next.
 */
export function history(newest: Combination, places: number): Combination[] {
  return [newest, ...Array.from({ length: places }, (_, place) => memory(place))];
}

/** The predicted noise: (x - alpha x_0) / sigma. */
export function epsilon({ alpha, sigma }: NoiseLevel): Combination {
  return { x: 1 / sigma, x0: -alpha / sigma };
}

/** The noise that the network predicted, whatever bounds the clean images were kept within afterwards. */
export function predictedEpsilon({ alpha, sigma }: NoiseLevel): Combination {
  return { x: 1 / sigma, predicted: -alpha / sigma };
}

/** v = alpha epsilon - sigma x_0, where alpha^2 + sigma^2 = 1 (Salimans & Ho 2022, 2202.00512). */
export function velocity(level: NoiseLevel): Combination {
  return sum([level.alpha, epsilon(level)], [-level.sigma, x0]);
}

/** The score, the gradient of log p(x): -epsilon / sigma. */
export function score(level: NoiseLevel): Combination {
  return sum([-1 / level.sigma, epsilon(level)]);
}

/** x / alpha, the images as Karras et al. (2022) write them, with a signal that is not scaled: x_0 + rho epsilon. */
export function unscaled(level: NoiseLevel): Combination {
  return sum([1, x0], [rhoOf(level), epsilon(level)]);
}

/** factor of + factor of + ... */
export function sum(...terms: readonly (readonly [factor: number, of: Combination])[]): Combination {
  const add = (part: "x" | "x0" | "predicted" | "z"): number =>
    terms.reduce((total, [k, of]) => total + k * (of[part] ?? 0), 0);
  const places = Math.max(0, ...terms.map(([, of]) => of.memory?.length ?? 0));
  const inMemory = Array.from({ length: places }, (_, i) =>
    terms.reduce((total, [k, of]) => total + k * (of.memory?.[i] ?? 0), 0),
  );
  return { x: add("x"), x0: add("x0"), predicted: add("predicted"), z: add("z"), memory: inMemory };
}

/** Factors in the order x, x0, predicted, z, memory. */
export function factors({ x = 0, x0 = 0, predicted = 0, z = 0, memory = [] }: Combination, places: number): number[] {
  return [x, x0, predicted, z, ...Array.from({ length: places }, (_, i) => memory[i] ?? 0)];
}
