const STATE_SIZE = 624;

/**
 * The numbers of `torch.manual_seed(seed)` on a CPU: a Mersenne Twister (mt19937, Matsumoto & Nishimura 1998), and
 * normal numbers made as `torch.randn` makes 16 and more of them.
 */
export class TorchRandom {
  readonly #state = new Uint32Array(STATE_SIZE);
  #at = STATE_SIZE;

  constructor(seed: number) {
    this.#state[0] = seed;
    for (let i = 1; i < STATE_SIZE; i++) {
      const previous = this.#state[i - 1];
      this.#state[i] = Math.imul(previous ^ (previous >>> 30), 1812433253) + i;
    }
  }

  skip(count: number): void {
    for (let i = 0; i < count; i++) this.#next();
  }

  /** Float32 uniform in [0, 1): the low 24 bits of a word. */
  uniform(): number {
    return (this.#next() & 0xffffff) / 2 ** 24;
  }

  /** `count`, a multiple of 16, standard normal numbers: Box-Muller on eight pairs at a time. */
  normal(count: number): Float32Array<ArrayBuffer> {
    if (count % 16 !== 0) throw new Error(`TorchRandom: count must be a multiple of 16, got ${count}`);
    const values = Float32Array.from({ length: count }, () => this.uniform());
    for (let block = 0; block < count; block += 16) {
      for (let i = block; i < block + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - values[i]));
        const angle = 2 * Math.PI * values[i + 8];
        values[i] = radius * Math.cos(angle);
        values[i + 8] = radius * Math.sin(angle);
      }
    }
    return values;
  }

  #next(): number {
    if (this.#at === STATE_SIZE) this.#twist();
    let y = this.#state[this.#at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let k = 0; k < STATE_SIZE; k++) {
      const y = (state[k] & 0x80000000) | (state[(k + 1) % STATE_SIZE] & 0x7fffffff);
      state[k] = state[(k + 397) % STATE_SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}
