const LENGTH = 624;
const OFFSET = 397;

/**
 * MT19937, the Mersenne twister of Matsumoto & Nishimura (1998), seeded by `init_genrand` as in 2002: 32 random bits at a time.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(LENGTH);
  #next = LENGTH;

  /** @param seed a whole number below 2^32 */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < LENGTH; i++) {
      const before = state[i - 1];
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** A whole number below 2^32. */
  next(): number {
    if (this.#next === LENGTH) this.#twist();
    let y = this.#state[this.#next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < LENGTH; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % LENGTH] & 0x7fffffff);
      state[i] = state[(i + OFFSET) % LENGTH] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
