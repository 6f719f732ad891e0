import { sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";
import { iota, scalar } from "./tensor.ts";
import type { Tensor } from "./tensor.ts";

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

function rotateLeft(x: Tensor, bits: number): Tensor {
  return x.shiftLeft(bits).or(x.shiftRight(32 - bits));
}

/**
 * Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * All words are u32 tensors of shapes that broadcast.
 */
export function threefry2x32(key: readonly [Tensor, Tensor], counter: readonly [Tensor, Tensor]): [Tensor, Tensor] {
  const keys = [...key, key[0].xor(key[1]).xor(0x1bd11bda)];
  let x0 = counter[0].add(keys[0]);
  let x1 = counter[1].add(keys[1]);
  for (let round = 0; round < 5; round++) {
    for (const bits of ROTATIONS[round % 2]) {
      x0 = x0.add(x1);
      x1 = rotateLeft(x1, bits).xor(x0);
    }
    x0 = x0.add(keys[(round + 1) % 3]);
    x1 = x1.add(keys[(round + 2) % 3]).add(round + 1);
  }
  return [x0, x1];
}

/**
 * A stream of random tensors that follows from a key alone. Each call draws from a substream of its own, so
 * that a program which draws in the same order gets the same numbers.
 */
export class RandomStream {
  readonly #key: readonly [Tensor, Tensor];
  readonly #firstRow: Tensor | undefined;
  #draws = 0;

  /**
   * @param key two u32 scalars, such as a seed and a step
   * @param firstRow a u32 scalar: the stream draws rows (of the first axis) from this one on of larger tensors
   */
  constructor(key: readonly [Tensor, Tensor], firstRow?: Tensor) {
    this.#key = key;
    this.#firstRow = firstRow;
  }

  /** Two u32 words per element. */
  bits(shape: Shape): [Tensor, Tensor] {
    const key = threefry2x32(this.#key, [scalar(this.#draws++, "u32"), scalar(0x5eed, "u32")]);
    const element = iota([sizeOf(shape)], 0, "u32");
    const counter = this.#firstRow ? element.add(this.#firstRow.multiply(sizeOf(shape.slice(1)))) : element;
    const [a, b] = threefry2x32(key, [counter, scalar(0, "u32").broadcastTo([sizeOf(shape)])]);
    return [a.reshape(shape), b.reshape(shape)];
  }

  /** Multiples of 2^-24 in [0, 1). */
  uniform(shape: Shape): Tensor {
    return toUnit(this.bits(shape)[0]);
  }

  /** Standard normal numbers. */
  normal(shape: Shape): Tensor {
    return boxMuller(this.bits(shape));
  }

  /** i32 numbers, uniform in [0, limit); limit may be at most 2^24. */
  integers(shape: Shape, limit: number): Tensor {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 24) {
      throw new Error(`integers: limit must be a whole number from 1 to ${2 ** 24}, got ${limit}`);
    }
    return this.uniform(shape)
      .multiply(limit)
      .floor()
      .convert("i32")
      .minimum(limit - 1);
  }
}

/**
 * Standard normal rows (of the first axis): row i follows from the key and `firstRow` + i alone, however many others are
 * drawn beside it and of whatever number they are.
 *
 * @param key two u32 scalars
 * @param firstRow u32 scalar
 */
export function normalRows(key: readonly [Tensor, Tensor], firstRow: Tensor, shape: Shape): Tensor {
  const flat = [shape[0], sizeOf(shape.slice(1))];
  const counter = [iota(flat, 1, "u32"), iota(flat, 0, "u32").add(firstRow)] as const;
  return boxMuller(threefry2x32(key, counter)).reshape(shape);
}

/** Standard normal numbers from two random words each (Box & Muller 1958). */
function boxMuller([a, b]: readonly [Tensor, Tensor]): Tensor {
  const radius = toUnit(a).negate().add(1).log().multiply(-2).sqrt();
  return radius.multiply(
    toUnit(b)
      .multiply(2 * Math.PI)
      .cos(),
  );
}

function toUnit(bits: Tensor): Tensor {
  return bits
    .shiftRight(8)
    .convert("f32")
    .multiply(2 ** -24);
}
