import { grad } from "../../src/tensor/autodiff/grad.ts";
import { gelu, huberLoss } from "../../src/tensor/functions/functions.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { concatenate, full, iota, literal, scalar, scatterAdd } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { floats } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

/** Chains and webs of elementwise ops, with movement in the middle. */
export const elementwiseScenarios: readonly Scenario[] = [
  {
    name: "an elementwise chain whose parts have several users",
    inputs: floats([33, 17], [33, 17]),
    build: ([x, y]) => {
      const a = x.multiply(y).add(1);
      const b = a.tanh();
      const c = a.multiply(b).subtract(b.square());
      const d = c.exp().add(a).sigmoid();
      return { outputs: [b, c.add(d), d.multiply(a), a.compare("gt", b).select(c, d)] };
    },
  },
  {
    name: "a thousand elementwise ops in a row",
    inputs: floats([37]),
    build: ([x]) => {
      let y = x;
      for (let i = 0; i < 500; i++) y = y.multiply(0.999).add(0.001 * (i % 7));
      return { outputs: [y] };
    },
  },
  {
    name: "more live values than a machine has registers",
    inputs: floats([50, 3]),
    build: ([x]) => {
      const parts = Array.from({ length: 40 }, (_, i) => x.multiply(i + 1).sin());
      const up = parts.reduce((sum, part) => sum.add(part));
      const down = parts.toReversed().reduce((product, part) => product.multiply(part.multiply(0.1).add(1)));
      return { outputs: [up.multiply(down)] };
    },
  },
  {
    name: "transposes in the middle of elementwise work",
    inputs: floats([19, 28], [28, 19]),
    build: ([x, y]) => {
      const a = x.sin().transpose().add(y).tanh();
      const b = a.transpose().multiply(x);
      return { outputs: [b, a, b.transpose().subtract(a)] };
    },
  },
  {
    name: "a transpose of four axes between two users of one value",
    inputs: floats([2, 7, 9, 5]),
    build: ([x]) => {
      const a = x.multiply(2).add(0.5);
      return { outputs: [a.transpose([0, 3, 1, 2]).exp(), a.transpose([2, 0, 1, 3]).sum([0, 3]), a] };
    },
  },
  {
    name: "reshapes that merge and split axes out of step",
    inputs: floats([6, 35]),
    build: ([x]) => {
      const a = x
        .sin()
        .reshape([10, 21])
        .transpose()
        .add(iota([21, 10], 1, "f32"));
      const b = a.reshape([7, 30]).cos().reshape([2, 3, 5, 7]).transpose([3, 1, 0, 2]);
      return { outputs: [b.reshape([14, 15]), b.sum([1, 3]), a.reshape([5, 42]).sum(0)] };
    },
  },
  {
    name: "slices with steps, reversals and pads of one value",
    inputs: floats([13, 11]),
    build: ([x]) => {
      const a = x.tanh();
      const even = a.slice(1, 0, 11, 2);
      const odd = a.slice(1, 1, 11, 2).pad([
        [0, 0],
        [1, 0],
      ]);
      const turned = a.reverse([0]).slice(0, 2, 13, 3);
      return { outputs: [even.add(odd), turned.exp(), concatenate([turned, a.reverse([1])], 0).multiply(2)] };
    },
  },
  {
    name: "a concatenation of computed, moved and repeated parts",
    inputs: floats([5, 8], [5, 3]),
    build: ([x, y]) => {
      const a = x.multiply(3).subtract(1);
      const joined = concatenate([a, y.exp(), a.reverse([1]), y.slice(1, 1, 1), full([5, 2], 7)], 1);
      return { outputs: [joined.multiply(joined), joined.sum(1), joined.slice(1, 6, 15)] };
    },
  },
  {
    name: "pads with numbers other than zero, of computed values, reduced",
    inputs: floats([6, 7]),
    build: ([x]) => {
      const y = x.exp().pad(
        [
          [2, 1],
          [-1, 3],
        ],
        -2.5,
      );
      return { outputs: [y.max(1), y.sum(0), y.multiply(y).min()] };
    },
  },
  {
    name: "masks, selects and logic of bool and integers",
    inputs: (random) => [random.array([21, 9]), random.array([21, 9], "i32"), random.array([9], "bool")],
    exact: true,
    build: ([x, n, flags]) => {
      const positive = x.compare("gt", 0);
      const even = n.and(1).compare("eq", 0);
      const mask = positive.and(even).or(flags);
      const low = n.convert("u32").and(15).shiftLeft(3).xor(5).shiftRight(1);
      return {
        outputs: [
          mask,
          mask.xor(positive),
          mask.select(n, n.negate()),
          mask.convert("f32"),
          low,
          low.convert("i32").sum(0),
        ],
      };
    },
  },
  {
    name: "integers that wrap",
    inputs: (random) => [random.array([40], "i32", () => random.integer(-(2 ** 31), 2 ** 31 - 1))],
    exact: true,
    build: ([n]) => {
      const words = n.convert("u32").multiply(2654435761).add(12345);
      return {
        outputs: [n.multiply(n), n.sum(), words, words.sum(), words.xor(words.shiftRight(16)).multiply(0x45d9f3b)],
      };
    },
  },
  {
    name: "bytes scaled to [-1, 1] and flipped image by image",
    inputs: (random) => [
      random.array([5, 6, 7, 1], "u32", () => random.integer(0, 255)),
      random.array([5], "u32", () => random.integer(0, 1)),
    ],
    build: ([bytes, flips]) => {
      const x = bytes.convert("f32").divide(255).multiply(2).subtract(1);
      const flipped = flips
        .compare("eq", 1)
        .reshape([5, 1, 1, 1])
        .select(x.reverse([2]), x);
      return { outputs: [flipped] };
    },
  },
];

/** Rows of tables, random numbers, and what programs hand out. */
export const otherScenarios: readonly Scenario[] = [
  {
    name: "gathers of computed tables by computed indices, with the gradient by the table",
    inputs: (random) => [random.array([11, 6]), random.array([4, 5], "i32", () => random.integer(-2, 13))],
    build: ([table, indices]) => {
      const rows = table.tanh().gather(indices.add(1).clamp(0, 10));
      return { outputs: [rows.multiply(2), ...grad(rows.square().sum(), [table])] };
    },
  },
  {
    name: "scalars of a schedule picked per image",
    inputs: (random) => [
      random.array([6, 4, 4, 3]),
      random.array([6, 4, 4, 3]),
      random.array([6], "i32", () => random.integer(0, 9)),
    ],
    build: ([x, noise, t]) => {
      const table = literal({
        shape: [10],
        dtype: "f32",
        data: Float32Array.from({ length: 10 }, (_, i) => 1 - i / 12),
      });
      const at = (values: Tensor): Tensor => values.gather(t).reshape([6, 1, 1, 1]);
      return { outputs: [x.multiply(at(table)).add(noise.multiply(at(table.square().negate().add(1).sqrt())))] };
    },
  },
  {
    name: "scatters of computed rows, and their gradient",
    inputs: (random) => [random.array([12, 3]), random.array([12], "i32", () => random.integer(-1, 5))],
    build: ([updates, indices]) => {
      const table = scatterAdd(indices, updates.exp(), 5);
      return { outputs: [table.add(1), ...grad(table.square().sum(), [updates])] };
    },
  },
  {
    name: "random bits and uniform numbers, the same bits everywhere",
    inputs: (random) => [random.array([], "u32", () => random.integer(0, 2 ** 32 - 1))],
    exact: true,
    runs: 2,
    build: ([seed]) => {
      const stream = new RandomStream([seed, scalar(3, "u32")]);
      return {
        outputs: [...stream.bits([33]), stream.uniform([5, 7]), stream.integers([100], 10), stream.bits([])[0]],
      };
    },
  },
  {
    name: "normal numbers, drawn and used in one program",
    inputs: (random) => [random.array([3, 50]), random.array([], "u32")],
    build: ([x, seed]) => {
      const stream = new RandomStream([seed, scalar(0, "u32")]);
      return { outputs: [x.add(stream.normal([3, 50])), stream.normal([501]), stream.normal([4, 1]).sum()] };
    },
  },
  {
    name: "one result as two outputs, and an output that others are made of",
    inputs: floats([9, 4]),
    build: ([x]) => {
      const y = x.exp();
      return { outputs: [y, y.sum(0), y, y.reshape([36]), y.transpose()] };
    },
  },
  {
    name: "outputs that are inputs, moved inputs and constants",
    inputs: (random) => [random.array([6, 5]), random.array([3], "bool"), random.array([2], "u32")],
    exact: true,
    build: ([x, flags, words]) => ({
      outputs: [
        x,
        x.transpose(),
        x.reshape([3, 10]),
        flags,
        words,
        scalar(2.5),
        full([2, 3], -1, "i32"),
        iota([7]),
        literal({ shape: [2], dtype: "bool", data: Int32Array.of(1, 0) }),
        x.slice(0, 2, 2),
        scalar(1, "bool"),
        x,
      ],
    }),
  },
  {
    name: "a program without outputs",
    inputs: floats([3]),
    build: () => ({ outputs: [] }),
  },
  {
    name: "a program without inputs",
    build: () => ({ outputs: [iota([5], 0, "f32").multiply(0.1).sin(), full([2, 2], 3).sum()] }),
  },
  {
    name: "inputs that nothing uses",
    inputs: floats([3], [4, 4], [0]),
    build: ([, x]) => ({ outputs: [x.add(1)] }),
  },
  {
    name: "a perceptron with gelu, its loss and its gradients",
    inputs: floats([13, 28], [28, 112], [112], [112, 7], [13, 7]),
    build: ([x, w1, b1, w2, target]) => {
      const hidden = gelu(x.matmul(w1).multiply(0.2).add(b1));
      const loss = huberLoss(hidden.matmul(w2).multiply(0.1), target);
      return { outputs: [loss, ...grad(loss, [x, w1, b1, w2])] };
    },
  },
  {
    name: "sines and cosines of timesteps, joined",
    inputs: (random) => [random.array([9], "i32", () => random.integer(0, 999))],
    build: ([t]) => {
      const frequencies = iota([14], 0, "f32")
        .multiply(-Math.log(10000) / 13)
        .exp();
      const angles = t.convert("f32").reshape([9, 1]).multiply(frequencies);
      return { outputs: [concatenate([angles.sin(), angles.cos()], 1)] };
    },
  },
  {
    name: "a gradient of a gradient",
    inputs: floats([6, 5], [5, 4]),
    build: ([x, w]) => {
      const [byX] = grad(x.matmul(w).tanh().square().sum(), [x]);
      const penalty = byX.square().sum(1).add(1e-3).sqrt().subtract(1).square().mean();
      return { outputs: [penalty, ...grad(penalty, [w, x])] };
    },
  },
];
