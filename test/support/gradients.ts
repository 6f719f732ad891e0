import { sizeOf } from "../../src/tensor/shape.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { literal } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import type { Random } from "./random.ts";
import { program } from "./reference.ts";

type Build = (inputs: readonly Tensor[]) => Tensor;

/** Elements of one operand that are moved; of larger ones a random choice. */
const CHECKED = 24;
/** The five-point rule's weights for f(x + k h), k = -2, -1, 1, 2. */
const STENCIL = [
  [-2, 1 / 12],
  [-1, -8 / 12],
  [1, 8 / 12],
  [2, -1 / 12],
] as const;

const isFloat = ({ dtype }: NdArray | Tensor): boolean => dtype === "f32";

/**
 * The largest difference between grad() and central differences, relative to the largest derivative (at least 1),
 * for the sum of the result with random weights. Every f32 operand is moved.
 */
export async function gradientError(
  build: Build,
  inputs: readonly NdArray[],
  random: Random,
  step = 0.03,
): Promise<number> {
  const forward = await program(inputs, (leaves) => [build(leaves)]);
  const [{ shape }] = await forward(inputs);
  const weights = random.array(shape);
  const backward = await program(inputs, (leaves) =>
    grad(build(leaves).multiply(literal(weights)).sum(), leaves.filter(isFloat)),
  );
  // The weighted sum runs in float64: f32 would hide small changes.
  const loss = async (changed: readonly NdArray[]): Promise<number> => {
    const [{ data }] = await forward(changed);
    return Array.from(weights.data).reduce((sum, weight, i) => sum + weight * data[i], 0);
  };
  const gradients = await backward(inputs);
  let worst = 0;
  let scale = 1;
  for (const [i, x] of inputs.filter(isFloat).entries()) {
    const gradient = gradients[i];
    if (gradient.data.length !== sizeOf(x.shape)) return Infinity;
    const places = Array.from(x.data.keys());
    for (const place of places.length > CHECKED ? random.shuffle(places).slice(0, CHECKED) : places) {
      const expected = await derivative(loss, inputs, x, place, step);
      scale = Math.max(scale, Math.abs(expected));
      const error = Math.abs(gradient.data[place] - expected);
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    }
  }
  return worst / scale;
}

async function derivative(
  loss: (inputs: readonly NdArray[]) => Promise<number>,
  inputs: readonly NdArray[],
  x: NdArray,
  place: number,
  step: number,
): Promise<number> {
  let sum = 0;
  for (const [k, weight] of STENCIL) {
    const data = x.data.slice();
    data[place] += k * step;
    sum += weight * (await loss(inputs.map((input) => (input === x ? { ...x, data } : input))));
  }
  return sum / step;
}
