import type { DType } from "../../src/tensor/dtype.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Update } from "../../src/tensor/graph.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { concatenate, full, iota, scalar, scatterAdd, valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import type { Random } from "../support/random.ts";
import { floats } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

const of =
  (...shapes: readonly Shape[]) =>
  (random: Random): Variable[] =>
    shapes.map((shape, i) => new Variable(`v${i}`, shape, { data: random.array(shape).data }));

const typed =
  (dtype: DType, shape: Shape) =>
  (random: Random): Variable[] => [new Variable("v", shape, { dtype, data: random.array(shape, dtype).data })];

/** One variable that becomes a function of its old value. */
const selfUpdate = (name: string, shape: Shape, next: (value: Tensor) => Tensor): Scenario => ({
  name: `a variable becomes ${name}`,
  variables: of(shape),
  build: (_, [v]) => ({ outputs: [], updates: [{ variable: v, value: next(valueOf(v)) }] }),
});

interface AdamState {
  readonly parameter: Variable;
  readonly first: Variable;
  readonly second: Variable;
}

function adam(states: readonly AdamState[], gradients: readonly Tensor[], step: Tensor): Update[] {
  const correction = (beta: number): Tensor => step.multiply(Math.log(beta)).exp().negate().add(1);
  return states.flatMap(({ parameter, first, second }, i) => {
    const m = valueOf(first).multiply(0.9).add(gradients[i].multiply(0.1));
    const v = valueOf(second).multiply(0.99).add(gradients[i].square().multiply(0.01));
    const move = m.divide(correction(0.9)).divide(v.divide(correction(0.99)).sqrt().add(1e-3));
    return [
      { variable: parameter, value: valueOf(parameter).subtract(move.multiply(0.05)) },
      { variable: first, value: m },
      { variable: second, value: v },
    ];
  });
}

/** Programs with variables: every update is computed from the old values of all. */
export const variableScenarios: readonly Scenario[] = [
  selfUpdate("itself plus one", [7], (v) => v.add(1)),
  ...(["bf16", "f16"] as const).map((storage): Scenario => ({
    name: `weights stored as ${storage} in products and convolutions`,
    inputs: floats([2, 6, 5, 4]),
    variables: (random) =>
      [
        [8, 4],
        [6, 8, 3, 3],
        [10, 3],
      ].map((shape, i) => {
        return new Variable(`v${i}`, shape, { data: random.array(shape).data, storage });
      }),
    build: ([x], [linear, filter, table]) => {
      const hidden = x.matmul(valueOf(linear).transpose());
      const weight = valueOf(filter).transpose([2, 3, 1, 0]);
      return { outputs: [hidden, conv2d(hidden, weight, { padding: 1 }), valueOf(table).gather(iota([4]))] };
    },
  })),
  selfUpdate("its transpose", [6, 6], (v) => v.transpose()),
  selfUpdate("its reverse", [11], (v) => v.reverse([0])),
  selfUpdate("itself less its mean", [5, 9], (v) => v.subtract(v.mean(1, true))),
  selfUpdate("itself plus its sum", [40], (v) => v.add(v.sum())),
  selfUpdate("its running difference", [12], (v) => v.subtract(v.slice(0, 0, 11).pad([[1, 0]]))),
  selfUpdate("itself moved by one place", [9, 4], (v) => concatenate([v.slice(0, 1, 9), v.slice(0, 0, 1)], 0)),
  selfUpdate("its product with itself", [7, 7], (v) => v.matmul(v).multiply(0.1)),
  selfUpdate("its convolution with itself", [3, 3, 3, 3], (v) => conv2d(v, v, { padding: 1 }).multiply(0.2)),
  selfUpdate("its own rows in another order", [5, 3], (v) => v.gather(iota([5]).multiply(-1).add(4))),
  selfUpdate("the same elements in another shape", [4, 6], (v) => v.reshape([6, 4]).transpose().multiply(0.9)),
  selfUpdate("a constant", [3, 3], (v) => full(v.shape, 2)),
  selfUpdate("itself", [3, 3], (v) => v),
  {
    name: "two variables swap",
    variables: of([8, 3], [8, 3]),
    build: (_, [a, b]) => ({
      outputs: [],
      updates: [
        { variable: a, value: valueOf(b) },
        { variable: b, value: valueOf(a) },
      ],
    }),
  },
  {
    name: "three variables change places, one of them scaled",
    variables: of([10], [10], [10]),
    build: (_, [a, b, c]) => ({
      outputs: [valueOf(a).add(valueOf(b)).add(valueOf(c))],
      updates: [
        { variable: a, value: valueOf(b).multiply(0.5) },
        { variable: b, value: valueOf(c) },
        { variable: c, value: valueOf(a) },
      ],
    }),
  },
  {
    name: "two variables become each other's transposes",
    variables: of([4, 9], [9, 4]),
    build: (_, [a, b]) => ({
      outputs: [],
      updates: [
        { variable: a, value: valueOf(b).transpose().add(1) },
        { variable: b, value: valueOf(a).transpose().multiply(0.5) },
      ],
    }),
  },
  {
    name: "two variables follow one value, and a third becomes an input",
    inputs: floats([5], [5]),
    variables: of([5], [5], [5]),
    build: ([x, y], [a, b, c]) => {
      const next = valueOf(a).add(x).tanh();
      return {
        outputs: [next],
        updates: [
          { variable: a, value: next },
          { variable: b, value: next },
          { variable: c, value: y },
        ],
      };
    },
  },
  {
    name: "a variable becomes another one, which stays as it is",
    variables: of([7], [7]),
    build: (_, [a, b]) => ({
      outputs: [valueOf(b), valueOf(a).exp()],
      updates: [
        { variable: a, value: valueOf(b) },
        { variable: b, value: valueOf(b) },
      ],
    }),
  },
  {
    name: "two variables become one computed value, one of them through stop_gradient",
    variables: of([2, 16], [2, 16]),
    build: (_, [a, b]) => {
      const next = valueOf(a).multiply(0.5).add(valueOf(b)).sin();
      return {
        outputs: [next.slice(1, 2, 5), valueOf(a).sum(0), next.tanh()],
        updates: [
          { variable: a, value: next.stopGradient() },
          { variable: b, value: next },
        ],
      };
    },
  },
  {
    name: "outputs show old and new values of an updated variable",
    variables: of([6, 2]),
    build: (_, [v]) => {
      const next = valueOf(v).multiply(2).add(1);
      return {
        outputs: [valueOf(v), next, valueOf(v).sum(0), next.transpose()],
        updates: [{ variable: v, value: next }],
      };
    },
  },
  {
    name: "a counter and the numbers that it counts",
    variables: () => [new Variable("step", [], { dtype: "u32", data: Uint32Array.of(4294967294) })],
    exact: true,
    build: (_, [step]) => {
      const next = valueOf(step).add(1);
      return { outputs: [next, iota([4], 0, "u32").add(next)], updates: [{ variable: step, value: next }] };
    },
  },
  {
    name: "integer and bool variables",
    variables: (random) => [...typed("i32", [9])(random), ...typed("bool", [9])(random)],
    exact: true,
    build: (_, [n, flags]) => ({
      outputs: [valueOf(flags).select(valueOf(n), valueOf(n).negate())],
      updates: [
        { variable: n, value: valueOf(n).multiply(3).add(1) },
        { variable: flags, value: valueOf(n).and(1).compare("eq", 0) },
      ],
    }),
  },
  {
    name: "a table that gains rows",
    inputs: (random) => [random.array([6, 4]), random.array([6], "i32", () => random.integer(-1, 7))],
    variables: of([7, 4]),
    build: ([rows, indices], [table]) => ({
      outputs: [valueOf(table).gather(indices)],
      updates: [{ variable: table, value: valueOf(table).add(scatterAdd(indices, rows, 7)) }],
    }),
  },
  {
    name: "a variable that is only read, and one that is only written",
    inputs: floats([4]),
    variables: of([4], [4]),
    build: ([x], [a, b]) => ({ outputs: [x.add(valueOf(a))], updates: [{ variable: b, value: x.multiply(2) }] }),
  },
  {
    name: "Adam and a moving average on a small network, several steps",
    runs: 6,
    inputs: floats([9, 5], [9, 3]),
    variables: (random) => {
      const shapes = [[5, 12], [12], [12, 3]];
      const parameters = of(...shapes)(random);
      const zeros = shapes.flatMap((shape) => [new Variable("m", shape), new Variable("v", shape)]);
      return [...parameters, ...zeros, ...of(...shapes)(random), new Variable("step", [])];
    },
    build: ([x, target], variables) => {
      const parameters = variables.slice(0, 3);
      const averages = variables.slice(9, 12);
      const counter = variables[12];
      const step = valueOf(counter).add(1);
      const [w1, bias, w2] = parameters.map(valueOf);
      const loss = x.matmul(w1).add(bias).tanh().matmul(w2).subtract(target).square().mean();
      const states = parameters.map((parameter, i) => ({
        parameter,
        first: variables[3 + 2 * i],
        second: variables[4 + 2 * i],
      }));
      const updates = adam(states, grad(loss, parameters.map(valueOf)), step);
      // The average follows the new value of its parameter.
      const followed = averages.map((variable, i) => ({
        variable,
        value: valueOf(variable)
          .multiply(0.9)
          .add(updates[3 * i].value.multiply(0.1)),
      }));
      return { outputs: [loss], updates: [...updates, ...followed, { variable: counter, value: step }] };
    },
  },
  {
    name: "a convolution's filter follows its own gradient",
    inputs: floats([2, 6, 6, 3]),
    variables: of([8, 3, 3, 3]),
    build: ([x], [stored]) => {
      const w = valueOf(stored);
      const loss = conv2d(x, w.transpose([2, 3, 1, 0]), { padding: 1 })
        .square()
        .mean();
      return { outputs: [loss], updates: [{ variable: stored, value: w.subtract(grad(loss, [w])[0].multiply(0.3)) }] };
    },
  },
  {
    name: "a scalar variable that steers everything",
    inputs: floats([3, 4]),
    variables: of([]),
    build: ([x], [v]) => ({
      outputs: [x.multiply(valueOf(v))],
      updates: [{ variable: v, value: valueOf(v).multiply(x.sum().sign().multiply(0.5)).add(scalar(0.25)) }],
    }),
  },
];
