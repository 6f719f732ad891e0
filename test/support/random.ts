import { allocate } from "../../src/tensor/dtype.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import type { Shape } from "../../src/tensor/shape.ts";

/** Numbers that follow from a seed, by mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    // Neighbouring seeds start far apart.
    for (let i = 0; i < 3; i++) this.float();
  }

  /** Uniform in [0, 1). */
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.float();
  }

  /** Whole, from low to high, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)];
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.float())) * Math.cos(2 * Math.PI * this.float());
  }

  shuffle<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }

  /** An array of numbers drawn one by one; without `draw`, standard normal, small whole, or 0 and 1. */
  array(shape: Shape, dtype: DType = "f32", draw: () => number = this.#typical(dtype)): NdArray {
    const data = allocate(dtype, sizeOf(shape));
    for (let i = 0; i < data.length; i++) data[i] = draw();
    return { shape, dtype, data };
  }

  #typical(dtype: DType): () => number {
    if (dtype === "f32") return () => this.normal();
    if (dtype === "bool") return () => this.integer(0, 1);
    return () => this.integer(dtype === "u32" ? 0 : -20, 20);
  }
}
