import { grad } from "../../src/tensor/autodiff/grad.ts";
import { conv2d, softmax } from "../../src/tensor/functions/functions.ts";
import { concatenate, full, iota } from "../../src/tensor/tensor.ts";
import { floats } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

/** Reductions, alone and one after the other, and what is broadcast back from them. */
export const reductionScenarios: readonly Scenario[] = [
  {
    name: "reductions of reductions over different axes",
    inputs: floats([9, 8, 7]),
    build: ([x]) => {
      const rows = x.exp().sum(2);
      const columns = rows.max(0, true);
      return { outputs: [rows, columns, rows.divide(columns).sum(1).min(), x.sum([0, 2]).square().sum()] };
    },
  },
  {
    name: "sum, largest and smallest of one computed value",
    inputs: floats([12, 33]),
    build: ([x]) => {
      const y = x.multiply(x).subtract(x);
      return { outputs: [y.sum(1), y.max(1), y.min(1), y.sum(0), y.mean(), y.square().sum(1)] };
    },
  },
  {
    name: "reduced values broadcast back: mean, variance, standardised rows and columns",
    inputs: floats([16, 28]),
    build: ([x]) => {
      const rows = x.subtract(x.mean(1, true));
      const standardised = rows.multiply(rows.square().mean(1, true).add(1e-5).rsqrt());
      const columns = standardised.subtract(standardised.mean(0, true));
      return { outputs: [standardised, columns.divide(columns.abs().max(0, true))] };
    },
  },
  ...[0, 1, 2].map((axis): Scenario => ({
    name: `softmax over axis ${axis} of three, with its gradient`,
    inputs: floats([7, 33, 12], [7, 33, 12]),
    build: ([x, weights]) => {
      const y = softmax(x.multiply(3), axis);
      return { outputs: [y, ...grad(y.multiply(weights).sum(), [x])] };
    },
  })),
  {
    name: "softmax of one element and of a long row",
    inputs: floats([5, 1], [2, 5000]),
    build: ([x, y]) => ({ outputs: [softmax(x), softmax(y.multiply(10)), softmax(softmax(y))] }),
  },
  {
    name: "log of a sum of exponentials, with gradient",
    inputs: floats([9, 17]),
    build: ([x]) => {
      const largest = x.max(1, true).stopGradient();
      const y = x.subtract(largest).exp().sum(1, true).log().add(largest);
      return { outputs: [y, ...grad(y.sum(), [x])] };
    },
  },
  {
    name: "the gradient of a maximum over a computed value finds the element that won",
    inputs: floats([20, 31], [20, 31]),
    build: ([x, y]) => {
      const z = x.multiply(y).add(x).subtract(y.multiply(0.3));
      const loss = z.max(1).sum().add(z.min(0).square().sum());
      return { outputs: [...grad(loss, [x, y])] };
    },
  },
  {
    name: "running sums by a triangular mask",
    inputs: floats([17, 5]),
    build: ([x]) => {
      const upTo = iota([17, 17], 0)
        .compare("ge", iota([17, 17], 1))
        .convert("f32");
      return { outputs: [upTo.matmul(x)] };
    },
  },
  {
    name: "reductions of broadcasts, iotas and constants",
    inputs: floats([6, 1]),
    build: ([x]) => ({
      outputs: [
        x.broadcastTo([4, 6, 9]).sum([0, 2]),
        x
          .broadcastTo([6, 9])
          .multiply(iota([6, 9], 1, "f32"))
          .sum(1),
        full([8, 8], 0.1).sum(),
        iota([100], 0).sum(),
        full([3, 5], 2).max(0),
      ],
    }),
  },
  {
    name: "reductions of slices, reversals, concatenations and transposes",
    inputs: floats([8, 9, 10]),
    build: ([x]) => {
      const y = x.exp();
      return {
        outputs: [
          y.slice(1, 1, 8, 3).sum(1),
          y.reverse([0, 2]).transpose([2, 0, 1]).sum(0),
          concatenate([y, y.slice(2, 0, 3)], 2).max(2),
          y.transpose([1, 2, 0]).reshape([45, 16]).sum(1),
        ],
      };
    },
  },
  {
    name: "empty axes all the way through",
    inputs: floats([0, 5], [4, 0, 3], [0, 6, 6, 2], [3, 3, 2, 4]),
    build: ([x, y, image, w]) => ({
      outputs: [
        softmax(x).exp(),
        x.sum(0),
        y.sum(1).add(1),
        y.max(1),
        concatenate([y.tanh(), full([4, 2, 3], 1)], 1).sum(2),
        conv2d(image, w, { padding: 1 }),
        ...grad(conv2d(image, w).square().sum().add(w.sum()), [image, w]),
        x.transpose().matmul(x),
        concatenate([y, y], 1)
          .transpose()
          .matmul(full([3, 4, 2], 1)),
        y.reshape([0, 7]),
      ],
    }),
  },
];
