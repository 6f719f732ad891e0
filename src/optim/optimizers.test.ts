import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { Variable } from "../tensor/variable.ts";
import { AdamW } from "./adamw.ts";
import { newOptimizer, optimizerNames } from "./optimizers.ts";
import type { OptimizerName, OptimizerSettings } from "./optimizers.ts";
import { Sgd } from "./sgd.ts";

/** What PyTorch gave, see generate.py there. */
const recorded = JSON.parse(
  readFileSync(new URL("../../test/fixtures/optimizers/optimizers.json", import.meta.url), "utf8"),
) as {
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly rates: readonly number[];
  readonly cases: Readonly<
    Record<string, { readonly settings: Partial<OptimizerSettings>; readonly values: readonly (readonly number[])[] }>
  >;
};

const usual: OptimizerSettings = { adamBetas: [0.9, 0.999], adamEpsilon: 1e-8, momentum: 0, nesterov: false };
const variable = (data: readonly number[]) => new Variable("x", [data.length], { data: Float32Array.from(data) });

describe("an optimizer", () => {
  test.each(Object.entries(recorded.cases))("takes PyTorch's steps: %s", async (title, { settings, values }) => {
    const x = variable(recorded.start);
    const optimizer = newOptimizer(title.split(" ")[0] as OptimizerName, [x], { ...usual, ...settings });
    const step = compile(ReferenceBackend.create(), ({ gradient, rate }) => ({
      outputs: {},
      updates: optimizer.updates([gradient], rate),
    }));
    for (const [i, gradient] of recorded.gradients.entries()) {
      await step({ gradient: ndarray(gradient, [3]), rate: ndarray([recorded.rates[i]], []) });
      const now = await x.read();
      for (const [place, value] of values[i].entries()) expect(now[place]).toBeCloseTo(value, 5);
    }
  });

  test("of every name has values of PyTorch's to be compared with", () => {
    const covered = new Set(Object.keys(recorded.cases).map((title) => title.split(" ")[0]));
    expect([...covered].toSorted()).toEqual([...optimizerNames].toSorted());
  });

  test("keeps what it needs under PyTorch's names", () => {
    const names = (name: OptimizerName, settings: Partial<OptimizerSettings> = {}) => [
      ...newOptimizer(name, [variable([0])], { ...usual, ...settings })
        .state()
        .keys(),
    ];
    expect(names("adamw")).toEqual(["x.exp_avg", "x.exp_avg_sq", "bias_correction1", "bias_correction2"]);
    expect(names("sgd")).toEqual([]);
    expect(names("sgd", { momentum: 0.9 })).toEqual(["x.momentum_buffer"]);
  });

  test("says in one line what it cannot do", () => {
    expect(() => new Sgd([], { momentum: 1 })).toThrow("Sgd: momentum must be from 0 to below 1, got 1");
    expect(() => new Sgd([], { nesterov: true })).toThrow("Sgd: nesterov needs a momentum above 0, got 0");
    expect(() => new AdamW([], { weightDecay: -1 })).toThrow("AdamW: weightDecay must be at least 0, got -1");
    expect(() => newOptimizer("adam", [], { ...usual, weightDecay: 0.1 })).toThrow(
      "weightDecay: is for the optimizers adamw and sgd, got 0.1 for adam",
    );
    expect(() => new Sgd([variable([0])]).updates([])).toThrow("Sgd: needs 1 gradients, got 0");
  });
});
