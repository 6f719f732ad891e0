import type { NoiseLevel } from "../../src/diffusion/process/noise-level.ts";

export interface Component {
  readonly weight: number;
  readonly mean: number;
  readonly deviation: number;
}

/** A mixture of normal distributions of one number, for which everything about diffusion is known in closed form. */
export class GaussianMixture {
  readonly #components: readonly Component[];

  constructor(components: readonly Component[]) {
    this.#components = components;
  }

  /** E[x_0 | x] for x = alpha x_0 + sigma z: what a perfect network sees. */
  xStart(x: number, { alpha, sigma }: NoiseLevel): number {
    // Each component's log of its share in x, and its own E[x_0 | x].
    const views = this.#components.map(({ weight, mean, deviation }) => {
      const variance = (alpha * deviation) ** 2 + sigma ** 2;
      const surprise = x - alpha * mean;
      return {
        log: Math.log(weight) - Math.log(variance) / 2 - surprise ** 2 / (2 * variance),
        xStart: mean + ((alpha * deviation ** 2) / variance) * surprise,
      };
    });
    const most = Math.max(...views.map(({ log }) => log));
    const shares = views.map(({ log }) => Math.exp(log - most));
    const total = shares.reduce((a, b) => a + b, 0);
    return views.reduce((sum, { xStart }, i) => sum + (shares[i] / total) * xStart, 0);
  }

  /** The share of the data below x. */
  distribution(x: number): number {
    return this.#components.reduce((sum, { weight, mean, deviation }) => {
      return sum + weight * normalDistribution((x - mean) / deviation);
    }, 0);
  }

  get mean(): number {
    return this.#components.reduce((sum, { weight, mean }) => sum + weight * mean, 0);
  }

  get deviation(): number {
    const second = this.#components.reduce((sum, c) => sum + c.weight * (c.mean ** 2 + c.deviation ** 2), 0);
    return Math.sqrt(second - this.mean ** 2);
  }
}

/** The largest distance between the distribution function of samples and a known one (Kolmogorov & Smirnov). */
export function kolmogorovSmirnov(samples: readonly number[], distribution: (x: number) => number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted.reduce((most, x, i) => {
    const expected = distribution(x);
    const [below, above] = [i / sorted.length, (i + 1) / sorted.length];
    return Math.max(most, Math.abs(expected - below), Math.abs(above - expected));
  }, 0);
}

/** Phi, to 1e-9. */
export function normalDistribution(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return x > 0 ? 1 : 0;
  // Phi(x) = 1/2 + phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...)
  let [term, sum] = [size, size];
  for (let n = 3; term > 1e-16 * sum; n += 2) sum += term *= size ** 2 / n;
  const half = (sum * Math.exp(-(size ** 2) / 2)) / Math.sqrt(2 * Math.PI);
  return x > 0 ? 0.5 + half : 0.5 - half;
}
