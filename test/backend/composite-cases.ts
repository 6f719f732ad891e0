import { softmax } from "../../src/tensor/functions/functions.ts";
import { variance } from "../../src/tensor/functions/norm.ts";
import type { Random } from "../support/random.ts";
import type { OpCase, OpCases } from "./op-cases.ts";

const SHAPES = [[5], [3, 4], [2, 1, 7], [4, 33], [2, 300, 3], [0, 3], [3, 1]] as const;

const distribute = (random: Random): OpCase => {
  const shape = random.pick(SHAPES);
  const axis = random.integer(0, shape.length - 1);
  return distribution([random.array(shape)], axis);
};

/** Numbers whose exponentials overflow alone. */
const distributeLarge = (random: Random): OpCase =>
  distribution([random.array([3, 9], "f32", () => random.between(-300, 300))], 1);

/** Errors count beside the whole, which is 1. */
const distribution = (inputs: OpCase["inputs"], axis: number): OpCase => ({
  inputs,
  build: ([x]) => softmax(x, axis),
  magnitude: ([x]) => softmax(x, axis).add(1),
});

const vary = (random: Random): OpCase => {
  const shape = random.pick([...SHAPES, [3, 4, 5, 6]]);
  const axes = shape.map((_, axis) => axis).filter(() => random.chance(0.6));
  return {
    inputs: [random.array(shape)],
    build: ([x]) => variance(x, axes),
    magnitude: ([x]) => x.square().mean(axes, true),
  };
};

export const compositeCases: Readonly<Record<"softmax" | "variance", OpCases>> = {
  softmax: { precision: "sum", count: 12, draw: distribute, pinned: [distributeLarge] },
  variance: { precision: "sum", count: 16, draw: vary },
};
