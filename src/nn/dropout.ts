import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module/module.ts";

/** Where dropout draws from while a training step is traced; elsewhere it does nothing. */
let stream: RandomStream | undefined;

/** Traces a part of a training step: {@link Dropout} drops in it, and nowhere else. */
export function whileTraining<T>(random: RandomStream, trace: () => T): T {
  const before = stream;
  stream = random;
  try {
    return trace();
  } finally {
    stream = before;
  }
}

/**
 * Sets each value to 0 with probability p in training, and divides the others by 1 - p (Srivastava et al. 2014). It does
 * nothing where a model is used.
 */
export class Dropout extends Module {
  readonly p: number;

  /** @param p from 0 to below 1 */
  constructor(p: number) {
    super();
    if (!(p >= 0 && p < 1)) throw new Error(`Dropout: p must be from 0 to below 1, got ${p}`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    if (!stream || this.p === 0) return x;
    const isKept = stream.uniform(x.shape).compare("ge", this.p);
    return isKept.select(x.multiply(1 / (1 - this.p)), 0);
  }
}
