import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { Random } from "../../test/support/random.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { GELU, SiLU } from "./activations.ts";
import { Conv2d, WeightStandardizedConv2d } from "./conv2d.ts";
import { GroupNorm, PreNorm } from "./group-norm.ts";
import { Linear } from "./linear.ts";
import type { Module } from "./module/module.ts";
import { SinusoidalPositionEmbeddings } from "./position-embeddings.ts";
import { Downsample, Upsample } from "./resample.ts";
import { Block, ResnetBlock } from "./resnet-block.ts";
import { Residual } from "./module/sequential.ts";

async function load(module: Module, values: Readonly<Record<string, readonly number[]>>): Promise<void> {
  const state = await module.stateDict();
  for (const [name, data] of Object.entries(values)) {
    const entry = state.get(name);
    if (entry) state.set(name, ndarray(data, entry.shape));
  }
  await module.loadStateDict(state);
}

describe("Linear", () => {
  test("multiplies by the transposed weight and adds the bias", async () => {
    const linear = new Linear(2, 3);
    await load(linear, { weight: [1, 2, 3, 4, 5, 6], bias: [10, 20, 30] });
    const y = await evaluate((x) => linear.forward(x), ndarray([1, 1, 2, -1], [2, 2]));
    expect(y.shape).toEqual([2, 3]);
    expect([...y.data]).toEqual([13, 27, 41, 10, 22, 34]);
  });

  test("refuses sizes and inputs that do not fit", async () => {
    expect(() => new Linear(0, 3)).toThrow("Linear: inFeatures must be a whole number of at least 1, got 0");
    const linear = new Linear(2, 3);
    await expect(evaluate((x) => linear.forward(x), ndarray([1, 2, 3], [1, 3]))).rejects.toThrow(
      "Linear: input must be [..., 2], got [1,3]",
    );
  });
});

describe("Conv2d", () => {
  test("correlates without turning the filter, with PyTorch's weight layout", async () => {
    const conv = new Conv2d(2, 1, 2);
    await load(conv, { weight: [1, 2, 3, 4, 10, 20, 30, 40], bias: [0.5] });
    // Channel 0 of the 2x2 image is 1, 0, 0, 1 and channel 1 is 0, 1, 0, 0.
    const y = await evaluate((x) => conv.forward(x), ndarray([1, 0, 0, 1, 0, 0, 1, 0], [1, 2, 2, 2]));
    expect([...y.data]).toEqual([1 + 4 + 20 + 0.5]);
  });

  test("has PyTorch's output size for stride and padding", async () => {
    const conv = new Conv2d(1, 1, 3, { stride: 2, padding: 1, bias: false });
    await load(conv, { weight: [0, 0, 0, 0, 1, 0, 0, 0, 0] });
    const x = ndarray(
      Float32Array.from({ length: 30 }, (_, i) => i),
      [1, 6, 5, 1],
    );
    const y = await evaluate((x) => conv.forward(x), x);
    expect(y.shape).toEqual([1, 3, 3, 1]);
    expect([...y.data]).toEqual([0, 2, 4, 10, 12, 14, 20, 22, 24]);
  });

  test("refuses images of the wrong channels", async () => {
    const conv = new Conv2d(3, 4, 1);
    await expect(evaluate((x) => conv.forward(x), ndarray(new Float32Array(4), [1, 2, 2, 1]))).rejects.toThrow(
      "Conv2d: input must be f32 [batch, height, width, 3], got f32 [1,2,2,1]",
    );
    expect(() => new Conv2d(1, 1, 3, { padding: -1 })).toThrow("padding must be a whole number of at least 0, got -1");
  });
});

describe("WeightStandardizedConv2d", () => {
  // One filter with mean 2.5 and variance 1.25: a lone pixel at each place reads the standardized filter.
  const weight = [1, 2, 3, 4];
  const pixels = ndarray([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 2, 2, 1]);
  const deviation = Math.sqrt(1.25 + 1e-5);

  test("divides by the deviation as the paper does", async () => {
    const conv = new WeightStandardizedConv2d(1, 1, 2, { bias: false });
    await load(conv, { weight });
    const y = await evaluate((x) => conv.forward(x), pixels);
    const expected = weight.map((w) => (w - 2.5) / deviation);
    expect(largestDifference(y.data, expected)).toBeLessThan(1e-6);
  });

  test("multiplies by the deviation as the article prints it", async () => {
    const conv = new WeightStandardizedConv2d(1, 1, 2, { bias: false, weightStandardization: "printed" });
    await load(conv, { weight });
    const y = await evaluate((x) => conv.forward(x), pixels);
    const expected = weight.map((w) => (w - 2.5) * deviation);
    expect(largestDifference(y.data, expected)).toBeLessThan(1e-6);
  });

  test("knows no other variant", () => {
    const options = { weightStandardization: "both" as "printed" };
    expect(() => new WeightStandardizedConv2d(1, 1, 2, options)).toThrow("must be standardized or printed, got both");
  });
});

describe("GroupNorm", () => {
  const x = ndarray([1, 3, 5, 7, -2, 0, 2, 4], [1, 1, 2, 4]);

  test("gives every group mean 0 and variance 1", async () => {
    const norm = new GroupNorm(2, 4);
    const y = await evaluate((x) => norm.forward(x), x);
    // Group 0 holds 1, 3, -2, 0 (mean 0.5, variance 3.25), group 1 holds 5, 7, 2, 4 (mean 4.5, variance 3.25).
    const scale = 1 / Math.sqrt(3.25 + 1e-5);
    const expected = [0.5, 2.5, 0.5, 2.5, -2.5, -0.5, -2.5, -0.5].map((value) => value * scale);
    expect(largestDifference(y.data, expected)).toBeLessThan(1e-6);
  });

  test("applies a time's scale and shift after its own weight and bias", async () => {
    const norm = new GroupNorm(2, 4);
    await load(norm, { weight: [1, 2, 3, 4], bias: [0.5, -0.5, 1, -1] });
    const [scale, shift] = [ndarray([0.1, 0.2, -0.3, 0.4], [1, 4]), ndarray([1, 2, 3, 4], [1, 4])];
    const together = await evaluate((x, scale, shift) => norm.forward(x, { scale, shift }), x, scale, shift);
    const apart = await evaluate(
      (x, scale, shift) =>
        norm
          .forward(x)
          .multiply(scale.add(1).reshape([1, 1, 1, 4]))
          .add(shift.reshape([1, 1, 1, 4])),
      x,
      scale,
      shift,
    );
    expect(largestDifference(together.data, apart.data)).toBeLessThan(2e-6);
  });

  test("refuses channels that groups do not divide", () => {
    expect(() => new GroupNorm(4, 30)).toThrow("GroupNorm: channels must be divisible by groups, got 30 and 4");
    expect(() => new GroupNorm(1, 2, { epsilon: 0 })).toThrow("GroupNorm: epsilon must be above 0, got 0");
  });
});

describe("activations", () => {
  const x = ndarray([-1, 0, 1, 2], [4]);

  test("SiLU is x / (1 + exp(-x))", async () => {
    const silu = new SiLU();
    const y = await evaluate((x) => silu.forward(x), x);
    const expected = [-1, 0, 1, 2].map((value) => value / (1 + Math.exp(-value)));
    expect(largestDifference(y.data, expected)).toBeLessThan(1e-6);
  });

  test("GELU is x times the normal distribution function, not its tanh approximation", async () => {
    const gelu = new GELU();
    const y = await evaluate((x) => gelu.forward(x), x);
    // Tabulated: Phi(1) = 0.8413447461, Phi(2) = 0.9772498681.
    expect(largestDifference(y.data, [-0.1586552539, 0, 0.8413447461, 1.9544997361])).toBeLessThan(2e-7);
  });
});

describe("SinusoidalPositionEmbeddings", () => {
  test("are sines, then cosines, of t over a geometric range of frequencies from 1 to 1/10000", async () => {
    const embeddings = new SinusoidalPositionEmbeddings(6);
    for (const dtype of ["i32", "f32"] as const) {
      const y = await evaluate((t) => embeddings.forward(t), ndarray([0, 7], [2], dtype));
      const angles = [7, 0.07, 0.0007];
      const expected = [0, 0, 0, 1, 1, 1, ...angles.map(Math.sin), ...angles.map(Math.cos)];
      expect(y.shape).toEqual([2, 6]);
      expect(largestDifference(y.data, expected)).toBeLessThan(2e-6);
    }
  });

  test("need an even dim of at least 4, and one time per image", async () => {
    for (const dim of [2, 5, 4.5]) expect(() => new SinusoidalPositionEmbeddings(dim)).toThrow(`got ${dim}`);
    const embeddings = new SinusoidalPositionEmbeddings(4);
    await expect(evaluate((t) => embeddings.forward(t), ndarray([1, 2], [2, 1]))).rejects.toThrow(
      "time must be i32 or f32 [batch], got f32 [2,1]",
    );
  });
});

describe("resampling", () => {
  const images = (shape: readonly number[], seed = 1): NdArray => new Random(seed).array(shape);

  test("Downsample is the rearrangement b c (h p1) (w p2) -> b (c p1 p2) h w and a 1x1 convolution", async () => {
    const down = new Downsample(3, 5);
    const x = images([2, 4, 6, 3]);
    const y = await evaluate((x) => down.forward(x), x);
    const { data: weight } = (await down.stateDict()).get("1.weight") ?? x;
    const { data: bias } = (await down.stateDict()).get("1.bias") ?? x;
    const at = (n: number, row: number, column: number, channel: number): number =>
      x.data[((n * 4 + row) * 6 + column) * 3 + channel];
    const expected: number[] = [];
    for (let n = 0; n < 2; n++) {
      for (let row = 0; row < 2; row++) {
        for (let column = 0; column < 3; column++) {
          for (let out = 0; out < 5; out++) {
            let sum = bias[out];
            for (let k = 0; k < 12; k++) {
              const [channel, p1, p2] = [Math.floor(k / 4), Math.floor(k / 2) % 2, k % 2];
              sum += weight[out * 12 + k] * at(n, 2 * row + p1, 2 * column + p2, channel);
            }
            expected.push(sum);
          }
        }
      }
    }
    expect(y.shape).toEqual([2, 2, 3, 5]);
    expect(largestDifference(y.data, expected)).toBeLessThan(1e-6);
  });

  test("Downsample has the shapes of PyTorch's 1x1 convolution, and needs even sides", async () => {
    const shapes = [...new Downsample(3, 5).parameters()].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ["1.weight", [5, 12, 1, 1]],
      ["1.bias", [5]],
    ]);
    const down = new Downsample(1);
    await expect(evaluate((x) => down.forward(x), images([1, 4, 5, 1]))).rejects.toThrow(
      "Downsample: height and width must be even, got 4 x 5",
    );
  });

  test("Upsample repeats every pixel before its convolution", async () => {
    const up = new Upsample(1);
    await load(up, { "1.weight": [0, 0, 0, 0, 1, 0, 0, 0, 0], "1.bias": [0] });
    const y = await evaluate((x) => up.forward(x), ndarray([1, 2, 3, 4], [1, 2, 2, 1]));
    expect(y.shape).toEqual([1, 4, 4, 1]);
    expect([...y.data]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
  });
});

describe("blocks", () => {
  const random = new Random(5);
  const x = random.array([2, 3, 4, 4]);

  test("Residual adds its input, PreNorm normalizes it first", async () => {
    const conv = new Conv2d(4, 4, 1, { bias: false });
    await load(conv, { weight: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2] });
    const residual = new Residual(new PreNorm(4, conv));
    const norm = new GroupNorm(1, 4);
    const y = await evaluate((x) => residual.forward(x), x);
    const expected = await evaluate((x) => norm.forward(x).multiply(2).add(x), x);
    expect(largestDifference(y.data, expected.data)).toBeLessThan(1e-6);
  });

  test("ResnetBlock without time is block2(block1(x)) + x", async () => {
    const block = new ResnetBlock(4, 4, { groups: 2 });
    expect(block.resConv).toBeUndefined();
    const y = await evaluate((x) => block.forward(x), x);
    const expected = await evaluate((x) => block.block2.forward(block.block1.forward(x)).add(x), x);
    expect(largestDifference(y.data, expected.data)).toBe(0);
  });

  test("ResnetBlock scales and shifts its first block by the time embedding", async () => {
    const block = new ResnetBlock(4, 6, { timeEmbeddingDim: 5, groups: 2 });
    const time = random.array([2, 5]);
    const [silu, linear] = block.mlp?.layers ?? [];
    const y = await evaluate((x, t) => block.forward(x, t), x, time);
    const expected = await evaluate(
      (x, t) => {
        const [scale, shift] = linear.forward(silu.forward(t)).chunk(2, 1);
        const hidden = block.block1.forward(x, { scale, shift });
        return block.block2.forward(hidden).add(block.resConv?.forward(x) ?? 0);
      },
      x,
      time,
    );
    expect(y.shape).toEqual([2, 3, 4, 6]);
    expect(largestDifference(y.data, expected.data)).toBe(0);
    const timeless = await evaluate((x) => block.forward(x), x);
    expect(largestDifference(y.data, timeless.data)).toBeGreaterThan(0.01);
  });

  test("Block ends in SiLU of a normalized convolution", async () => {
    const block = new Block(4, 8);
    const y = await evaluate((x) => block.forward(x), x);
    // The minimum of x sigmoid(x).
    expect(Math.min(...y.data)).toBeGreaterThanOrEqual(-0.27846455);
    expect([...block.parameters().keys()]).toEqual(["proj.weight", "proj.bias", "norm.weight", "norm.bias"]);
  });
});
