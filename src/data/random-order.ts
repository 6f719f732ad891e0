/**
 * The generator xoshiro128** of Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators" (2021).
 *
 * @param state Four 32-bit words, not all of them 0.
 * @returns A function that gives the next 32 random bits.
 */
export function xoshiro128(state: readonly [number, number, number, number]): () => number {
  let [a, b, c, d] = state;
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
}

function rotateLeft(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * A random order of 0 to length - 1, each equally likely (Fisher and Yates), the same for the same seed and epoch on
 * every machine.
 *
 * @param seed Whole number that is not negative; all of its 53 bits count.
 */
export function randomOrder(length: number, seed: number, epoch: number): Uint32Array {
  const words = [seed, Math.floor(seed / 2 ** 32), epoch];
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667].map((salt) => {
    return words.reduce((hash, word) => mix(hash + (word >>> 0)), salt);
  });
  // A state of zeros alone would stay so; the last word is made odd.
  const next = xoshiro128([state[0], state[1], state[2], state[3] | 1]);
  const order = Uint32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = below(last + 1, next);
    const index = order[last];
    order[last] = order[other];
    order[other] = index;
  }
  return order;
}

/** A random number from 0 to bound - 1. Drawing again above the last multiple of the bound keeps all equally likely. */
function below(bound: number, next: () => number): number {
  const fair = 2 ** 32 - (2 ** 32 % bound);
  let drawn = next();
  while (drawn >= fair) drawn = next();
  return drawn % bound;
}
