import type { Shape } from "../../src/tensor/shape.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import type { Random } from "../support/random.ts";

/** Odd and even, below, at and above what vectors and tiles hold, and the channels of the models. */
const LENGTHS = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 28, 33, 56];

export interface ShapeOptions {
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly maxSize?: number;
  /** Chance that one axis has length 0. */
  readonly empty?: number;
}

export function drawShape(
  random: Random,
  { minRank = 0, maxRank = 5, maxSize = 6000, empty = 0.08 }: ShapeOptions = {},
): number[] {
  const rank = random.integer(minRank, maxRank);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = maxSize / sizeOf(shape);
    shape.push(random.pick(LENGTHS.filter((n) => n <= left)));
  }
  const mixed = random.shuffle(shape);
  return rank > 0 && random.chance(empty) ? mixed.with(random.integer(0, rank - 1), 0) : mixed;
}

/** Mostly small shapes of any rank, now and then one long axis. */
export function drawElementwiseShape(random: Random): Shape {
  return random.chance(0.15) ? [random.integer(4000, 20000)] : drawShape(random);
}

/** Some of the axes of a rank, ascending. */
export function drawAxes(random: Random, rank: number, chance = 0.5): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter(() => random.chance(chance));
}
