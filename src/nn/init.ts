import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { storageDtypes } from "../tensor/half-storage.ts";
import type { StorageDtype } from "../tensor/half-storage.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import { Variable } from "../tensor/variable.ts";

/**
 * Uniform numbers that follow from a seed: the generator sfc32 of PractRand (Doty-Humphrey). It only draws initial
 * weights, so it is small rather than parallel.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed a whole number from 0 to 2^32 - 1; without one, another sequence each time */
  constructor(seed: number = Math.floor(Math.random() * 2 ** 32)) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new Error(`Random: seed must be a whole number from 0 to ${2 ** 32 - 1}, got ${seed}`);
    }
    this.#a = 0;
    this.#b = 0;
    this.#c = seed;
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** A multiple of 2^-24 in [0, 1). */
  uniform(): number {
    return (this.#next() >>> 8) * 2 ** -24;
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result;
  }
}

let isDrawing = true;

/**
 * Makes a network whose parameters are zeros that take no memory yet: to be compared with a file's by their shapes, and
 * filled from it.
 */
export function withoutWeights<T>(make: () => T): T {
  const before = isDrawing;
  isDrawing = false;
  try {
    return make();
  } finally {
    isDrawing = before;
  }
}

let storage: StorageDtype = "f32";

/**
 * Makes a network whose weights take half of the memory: f16 or bf16, for a network that is drawn with and not trained. They are
 * computed with in f32. Biases and other parameters of one axis, and weights whose first axis is odd, stay f32.
 *
 * @example
 * const model = storedAs("bf16", () => new DiT(options));
 */
export function storedAs<T>(dtype: StorageDtype, make: () => T): T {
  if (!storageDtypes.includes(dtype)) {
    throw new Error(`storedAs: weights must be one of ${storageDtypes.join(", ")}, got ${dtype as string}`);
  }
  const before = storage;
  storage = dtype;
  try {
    return make();
  } finally {
    storage = before;
  }
}

/** A parameter of the values that are drawn for it. */
function initialized(name: string, shape: Shape, draw: (size: number) => Float32Array<ArrayBuffer>): Variable {
  return new Variable(name, shape, { storage, ...(isDrawing && { data: draw(sizeOf(shape)) }) });
}

/** Makes a parameter with the values that it starts from. */
export type Initializer = (name: string, shape: Shape, random: Random) => Variable;

/**
 * Uniform in ±1 / sqrt(fanIn). That is PyTorch's default for the biases of convolutions and linear
 * layers, and also for their weights: kaiming_uniform (He et al. 2015) with a = sqrt(5) has this very bound.
 */
export function fanInUniform(fanIn: number): Initializer {
  const bound = 1 / Math.sqrt(fanIn);
  return (name, shape, random) =>
    initialized(name, shape, (size) => {
      const data = new Float32Array(size);
      for (let i = 0; i < data.length; i++) data[i] = (2 * random.uniform() - 1) * bound;
      return data;
    });
}

/** Normal numbers with mean 0 and this deviation (Box & Muller 1958). */
export function normal(deviation: number): Initializer {
  return (name, shape, random) =>
    initialized(name, shape, (size) => Float32Array.from({ length: size }, () => deviation * normalNumber(random)));
}

/** A parameter that training leaves as it starts. */
export function frozen(init: Initializer): Initializer {
  return (name, shape, random) => {
    const variable = init(name, shape, random);
    variable.requiresGrad = false;
    return variable;
  };
}

/** A standard normal number. */
function normalNumber(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}

/** Standard normal numbers, the same ones for the same seed; others each time without one. */
export function randn(shape: Shape, seed?: number): NdArray {
  const random = new Random(seed);
  return ndarray(
    Float32Array.from({ length: sizeOf(shape) }, () => normalNumber(random)),
    shape,
  );
}

/** A parameter of standard normal numbers, PyTorch's default for embeddings. */
export const standardNormal: Initializer = normal(1);

/** Uniform in ±sqrt(6 / (in + out)) (Glorot & Bengio 2010), for a weight [out, ...in]. */
export const xavierUniform: Initializer = (name, shape, random) => {
  const [fanOut] = shape;
  const fanIn = sizeOf(shape) / fanOut;
  return fanInUniform((fanIn + fanOut) / 6)(name, shape, random);
};

/** Zeros: a branch of a network that adds nothing until it has learned to. */
export const zeros: Initializer = (name, shape) => constant(name, shape, 0);

/** A parameter whose elements all start at one value. */
export function constant(name: string, shape: Shape, value: number): Variable {
  return initialized(name, shape, (size) => new Float32Array(size).fill(value));
}
