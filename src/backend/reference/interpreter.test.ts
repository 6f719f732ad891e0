import { describe, expect, test } from "vitest";
import { tensorOf } from "../../../test/support/reference.ts";
import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { interpret, planOf } from "./interpreter.ts";

const graphOf = (...outputs: readonly Tensor[]) => ({ inputs: [], outputs, updates: [] });

describe("the interpreter's plan", () => {
  test("drops each value after its last use", () => {
    const x = tensorOf(Array.from({ length: 100 }, () => 1));
    let y: Tensor = x;
    for (let i = 0; i < 50; i++) y = y.exp();
    // Two values of 400 bytes live at once; the literal is the program's own.
    expect(planOf(graphOf(y)).peakBytes).toBe(800);
  });

  test("keeps outputs, and values that are used later", () => {
    const x = tensorOf(Array.from({ length: 100 }, () => 1));
    const first = x.exp();
    const second = first.exp();
    const third = second.exp();
    expect(planOf(graphOf(third.add(first))).peakBytes).toBe(1200);
    expect(planOf(graphOf(first, second, third)).peakBytes).toBe(1200);
    const { steps } = planOf(graphOf(third.add(first)));
    expect(steps.at(-1)?.lastUses).toEqual([third, first]);
  });
});

test("updates are computed from the old values of all variables", () => {
  const [a, b] = [new Variable("a", [1]), new Variable("b", [1])];
  const values = new Map([
    [a, Float32Array.of(1)],
    [b, Float32Array.of(10)],
  ]);
  const graph = {
    inputs: [],
    outputs: [valueOf(a).add(valueOf(b))],
    updates: [
      { variable: a, value: valueOf(b) },
      { variable: b, value: valueOf(a).add(valueOf(b)) },
    ],
  };
  const results = interpret(graph, planOf(graph), { inputs: [], valueOf: (v) => values.get(v) ?? new Float32Array() });
  expect(results.outputs[0].data).toEqual(Float32Array.of(11));
  expect(results.updates).toEqual([Float32Array.of(10), Float32Array.of(11)]);
  // Results are arrays of their own, also where they equal a variable.
  expect(results.updates[0]).not.toBe(values.get(b));
});
