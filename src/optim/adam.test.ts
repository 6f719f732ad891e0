import { describe, expect, test } from "vitest";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { scalar, valueOf } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { Adam } from "./adam.ts";
import type { AdamOptions } from "./adam.ts";

const backend = ReferenceBackend.create();

const parameter = (name: string, values: readonly number[]): Variable =>
  new Variable(name, [values.length], { data: Float32Array.from(values) });

/** Algorithm 1 of the paper in float64. */
function adamByHand(start: number, gradients: readonly number[], { learningRate = 1e-3, epsilon = 1e-8 }: AdamOptions) {
  let [value, m, v] = [start, 0, 0];
  gradients.forEach((g, i) => {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    value -= (learningRate * (m / (1 - 0.9 ** (i + 1)))) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + epsilon);
  });
  return value;
}

describe("Adam", () => {
  test("follows the paper's algorithm step by step", async () => {
    const options = { learningRate: 0.05, epsilon: 1e-3 };
    const x = parameter("x", [1, -2]);
    const adam = new Adam([x], options);
    const step = compile(backend, ({ gradient }) => ({ outputs: {}, updates: adam.updates([gradient]) }));
    const history: [number, number][] = [];
    for (let i = 0; i < 30; i++) {
      const gradients: [number, number] = [Math.sin(i), 0.01 * i - 0.1];
      history.push(gradients);
      await step({ gradient: ndarray(gradients, [2]) });
      const values = await x.read();
      expect(values[0]).toBeCloseTo(
        adamByHand(
          1,
          history.map(([g]) => g),
          options,
        ),
        5,
      );
      expect(values[1]).toBeCloseTo(
        adamByHand(
          -2,
          history.map(([, g]) => g),
          options,
        ),
        5,
      );
    }
  });

  test("moves by the learning rate against a gradient that stays, whatever its size", async () => {
    const x = parameter("x", [0, 0, 0]);
    const adam = new Adam([x], { learningRate: 0.5 });
    const step = compile(backend, ({ gradient }) => ({ outputs: {}, updates: adam.updates([gradient]) }));
    for (let i = 0; i < 4; i++) await step({ gradient: ndarray([1e-3, -7, 1e4], [3]) });
    for (const [i, expected] of [-2, 2, -2].entries()) expect((await x.read())[i]).toBeCloseTo(expected, 4);
  });

  test("takes its learning rate from a tensor", async () => {
    const x = parameter("x", [0]);
    const adam = new Adam([x]);
    const step = compile(backend, ({ rate }) => ({
      outputs: {},
      updates: adam.updates([scalar(1).reshape([1])], rate),
    }));
    for (const rate of [0.25, 0, 0.5]) await step({ rate: ndarray([rate], []) });
    expect((await x.read())[0]).toBeCloseTo(-0.75, 5);
  });

  test("goes on from a copy of its state as if it had not stopped", async () => {
    const run = async (x: Variable, adam: Adam, steps: number): Promise<void> => {
      const gradient = (): Tensor => valueOf(x).subtract(3);
      const step = compile(backend, () => ({ outputs: {}, updates: adam.updates([gradient()]) }));
      for (let i = 0; i < steps; i++) await step();
    };
    const [whole, first] = [parameter("x", [1, 5]), parameter("x", [1, 5])];
    await run(whole, new Adam([whole]), 8);
    const before = new Adam([first]);
    await run(first, before, 5);
    const second = parameter("x", [0, 0]);
    await second.write(await first.read());
    const after = new Adam([second]);
    for (const [name, variable] of before.state())
      await after
        .state()
        .get(name)
        ?.write(await variable.read());
    await run(second, after, 3);
    expect(await second.read()).toEqual(await whole.read());
  });

  test("names its state by the parameters", () => {
    const adam = new Adam([parameter("a.weight", [1]), parameter("b", [1])]);
    expect([...adam.state().keys()]).toEqual([
      "a.weight.exp_avg",
      "a.weight.exp_avg_sq",
      "b.exp_avg",
      "b.exp_avg_sq",
      "bias_correction1",
      "bias_correction2",
    ]);
    expect(() => new Adam([parameter("a", [1]), parameter("a", [1])]).state()).toThrow("names must be distinct");
  });

  test("refuses options and gradients that do not fit", () => {
    expect(() => new Adam([], { learningRate: -1 })).toThrow("Adam: learningRate must be at least 0, got -1");
    expect(() => new Adam([], { betas: [0.9, 1] })).toThrow("Adam: betas must be from 0 to below 1, got 1");
    expect(() => new Adam([], { epsilon: Number.NaN })).toThrow("Adam: epsilon must be at least 0, got NaN");
    const adam = new Adam([parameter("x", [1, 2])]);
    expect(() => adam.updates([])).toThrow("Adam: needs 1 gradients, got 0");
    expect(() => adam.updates([scalar(1)])).toThrow("Adam: gradient of x must be [2], got []");
  });
});
