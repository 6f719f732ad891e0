import { MersenneTwister } from "./mersenne-twister.ts";
import { log32, sineAndCosine32 } from "./vector-math.ts";

/** Numbers that PyTorch draws at once, of which it draws no fewer. */
const BLOCK = 16;

/** Where sampling may take its noise from instead of a seed. */
export interface NoiseGenerator {
  /** The next standard normal numbers. */
  randn(count: number): Float32Array<ArrayBuffer>;
}

/**
 * `torch.Generator` of a CPU: the same float32 numbers for a seed as PyTorch draws, in the same order, whatever was drawn before.
 * They are equal to the last bit to those of x86 processors with AVX2 or AVX-512 where at least 16 normal numbers are drawn at once,
 * and for uniform numbers everywhere; on others PyTorch's own normal numbers differ from these by at most 3e-6. Fewer than 16
 * normal numbers depend on the functions of `Math`, whose last bit engines may round otherwise.
 *
 * @example
 * const images = await diffusion.sample(model, { ...scheduler.settings(50), generator: torchGenerator(0), imageSize: 32 });
 */
export class TorchGenerator implements NoiseGenerator {
  readonly #bits: MersenneTwister;
  /** The second of a pair of normal numbers, which the next small draw begins with. */
  #kept: number | undefined;

  /** @param seed as of `manual_seed`: a whole number from -2^63 to 2^64 - 1, of which the lowest 32 bits count */
  constructor(seed: number | bigint) {
    this.#bits = new MersenneTwister(lowBits(seed));
  }

  /** `torch.rand`: multiples of 2^-24 from 0 to below 1. */
  rand(count: number): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length: checkedSize(count) }, () => (this.#bits.next() & 0xffffff) / 2 ** 24);
  }

  /**
   * `torch.randint`: whole numbers from 0 to below `limit`.
   *
   * @param limit at most 2^32
   */
  randint(limit: number, count: number): Float64Array<ArrayBuffer> {
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= 2 ** 32)) {
      throw new Error(`randint: limit must be a whole number from 1 to ${2 ** 32}, got ${limit}`);
    }
    return Float64Array.from({ length: checkedSize(count) }, () => this.#bits.next() % limit);
  }

  /** `torch.randn` of so many numbers in all, in the order of memory. */
  randn(count: number): Float32Array<ArrayBuffer> {
    if (count < BLOCK) return Float32Array.from({ length: checkedSize(count) }, () => this.#normal());
    const values = this.rand(count);
    for (let start = 0; start <= count - BLOCK; start += BLOCK) boxMuller(values.subarray(start, start + BLOCK));
    if (count % BLOCK !== 0) {
      // The last block overlaps the one before, and is drawn anew as a whole.
      const last = values.subarray(count - BLOCK);
      last.set(this.rand(BLOCK));
      boxMuller(last);
    }
    return values;
  }

  /** One of a pair by the method of Box and Muller (1958), in float64. */
  #normal(): number {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) return kept;
    const [u1, u2] = [this.#uniform64(), this.#uniform64()];
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    this.#kept = radius * Math.sin(2 * Math.PI * u1);
    return radius * Math.cos(2 * Math.PI * u1);
  }

  /** 53 bits, from 0 to below 1. */
  #uniform64(): number {
    const [high, low] = [this.#bits.next(), this.#bits.next()];
    return ((high & 0x1fffff) * 2 ** 32 + low) / 2 ** 53;
  }
}

export function torchGenerator(seed: number | bigint): TorchGenerator {
  return new TorchGenerator(seed);
}

/** Makes uniform numbers normal, in float32: cosines of the first half, sines of the second. */
function boxMuller(values: Float32Array): void {
  const turn = Math.fround(2 * Math.PI);
  for (let i = 0; i < BLOCK / 2; i++) {
    const radius = Math.fround(Math.sqrt(-2 * log32(1 - values[i])));
    const [sine, cosine] = sineAndCosine32(Math.fround(turn * values[i + BLOCK / 2]));
    values[i] = radius * cosine;
    values[i + BLOCK / 2] = radius * sine;
  }
}

function lowBits(seed: number | bigint): number {
  const isWhole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (!isWhole || BigInt(seed) < -(2n ** 63n) || BigInt(seed) >= 2n ** 64n) {
    throw new Error(`torchGenerator: seed must be a whole number from -2^63 to 2^64 - 1, got ${seed}`);
  }
  return Number(BigInt.asUintN(32, BigInt(seed)));
}

function checkedSize(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error(`torchGenerator: must draw a whole number of at least 0, got ${count}`);
}
