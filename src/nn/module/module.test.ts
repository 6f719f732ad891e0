import { describe, expect, test } from "vitest";
import { evaluate } from "../../../test/support/evaluate.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../conv2d.ts";
import { GroupNorm } from "../group-norm.ts";
import { Random, fanInUniform } from "../init.ts";
import { Linear } from "../linear.ts";
import { Module } from "./module.ts";
import { SiLU } from "../activations.ts";
import { Residual, Sequential } from "./sequential.ts";

class Nested extends Module {
  readonly firstPart = new Linear(2, 3);
  readonly stages = [[new GroupNorm(1, 2), new GroupNorm(1, 2)], [new Linear(3, 1, { bias: false })]];
  readonly mlp = new Sequential([new SiLU(), new Residual(new Linear(2, 2))]);
  readonly size = 7;
  readonly absent: Linear | undefined;

  forward(x: Tensor): Tensor {
    return this.firstPart.forward(x);
  }
}

describe("the parameters of a module", () => {
  test("are named by fields in snake_case and places in lists", () => {
    expect([...new Nested().parameters().keys()]).toEqual([
      "first_part.weight",
      "first_part.bias",
      "stages.0.0.weight",
      "stages.0.0.bias",
      "stages.0.1.weight",
      "stages.0.1.bias",
      "stages.1.0.weight",
      "mlp.1.fn.weight",
      "mlp.1.fn.bias",
    ]);
  });

  test("are counted element by element", () => {
    expect(new Nested().parameterCount()).toBe(6 + 3 + 4 * 2 + 3 + 4 + 2);
    expect(new Conv2d(3, 5, 3).parameterCount()).toBe(5 * 3 * 9 + 5);
  });
});

describe("the state of a module", () => {
  test("passes from one module to another", async () => {
    const [a, b] = [new Nested(), new Nested()];
    await b.loadStateDict(await a.stateDict());
    const x = ndarray([1, -2], [1, 2]);
    const [ya, yb] = [await evaluate((x) => a.forward(x), x), await evaluate((x) => b.forward(x), x)];
    expect(yb.data).toEqual(ya.data);
  });

  test("is a copy", async () => {
    const linear = new Linear(2, 2);
    const before = await linear.stateDict();
    before.get("weight")?.data.fill(9);
    expect((await linear.stateDict()).get("weight")?.data).not.toContain(9);
  });

  test("names everything that does not fit, and then changes nothing", async () => {
    const linear = new Linear(2, 3);
    const before = await linear.stateDict();
    const wrong = new Map([
      ["weight", ndarray(new Float32Array(6), [2, 3])],
      ["scale", ndarray([1], [1])],
      ["shift", ndarray([1], [1])],
    ]);
    await expect(linear.loadStateDict(wrong)).rejects.toThrow(
      "loadStateDict: missing bias; unexpected scale, shift; weight must be f32 [3,2], got f32 [2,3]",
    );
    expect(await linear.stateDict()).toEqual(before);
  });

  test("must hold as many values as its shape says, of the right dtype", async () => {
    const norm = new GroupNorm(1, 2);
    const state = await norm.stateDict();
    const short = new Map([...state, ["bias", { shape: [2], dtype: "f32", data: new Float32Array(1) } as const]]);
    await expect(norm.loadStateDict(short)).rejects.toThrow("bias must be f32 [2], got f32 [2] of 1 values");
    const whole = new Map([...state, ["bias", ndarray([1, 2], [2], "i32")]]);
    await expect(norm.loadStateDict(whole)).rejects.toThrow("bias must be f32 [2], got i32 [2]");
  });
});

describe("initial weights", () => {
  test("follow from the seed", async () => {
    const draw = async (seed: number) => fanInUniform(4)("w", [50], new Random(seed)).read();
    expect(await draw(3)).toEqual(await draw(3));
    expect(await draw(3)).not.toEqual(await draw(4));
  });

  test("are uniform within 1 / sqrt(fan in), with its mean and variance", async () => {
    const n = 40_000;
    const values = [...(await fanInUniform(25)("w", [n], new Random(1)).read())];
    const mean = values.reduce((sum, x) => sum + x, 0) / n;
    const variance = values.reduce((sum, x) => sum + x * x, 0) / n - mean * mean;
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.2);
    // Four standard errors: sd(x) = 0.2 / sqrt(3), sd(x^2) = 0.04 sqrt(4 / 45).
    expect(Math.abs(mean)).toBeLessThan((4 * 0.2) / Math.sqrt(3 * n));
    expect(Math.abs(variance - 0.04 / 3)).toBeLessThan((4 * 0.04 * Math.sqrt(4 / 45)) / Math.sqrt(n));
  });

  test("of two layers with one generator differ", async () => {
    const random = new Random(0);
    const [a, b] = [new Linear(8, 8, { random }), new Linear(8, 8, { random })];
    expect((await a.stateDict()).get("weight")).not.toEqual((await b.stateDict()).get("weight"));
  });

  test("need a seed that is a whole number below 2^32", () => {
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) expect(() => new Random(seed)).toThrow(`got ${seed}`);
  });
});
