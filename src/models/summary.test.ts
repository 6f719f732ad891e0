import { describe, expect, test } from "vitest";
import { AdmUnet } from "./adm/adm-unet.ts";
import { DiT } from "./dit/dit.ts";
import { formatSummary, summary } from "./summary.ts";
import { Unet } from "./unet/unet.ts";

const article = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });

describe("a summary", () => {
  const { layers, parameters, flops } = summary(article, 28, 128);
  const layer = (name: string) => layers.find((row) => row.name === name);

  test("counts the 65.2 GFLOP of the article's model on a batch of 128, less what linear attention saves", () => {
    // Per image and attention of `pixels` and `dim` with 4 heads of 32: projections to v and of the result, and two products
    // with the context, become two products of x's width; the heads' projections meet once per batch.
    const saved = ([pixels, dim]: readonly number[]): number => {
      const before = 128 * (2 * pixels * dim + 2 * pixels * 32);
      const after = 128 * (2 * pixels * dim + dim * dim) + (4 * 32 * dim * dim) / 128;
      return 2 * 128 * (before - after);
    };
    const attentions = [
      [784, 28],
      [196, 28],
      [196, 56],
      [784, 28],
    ];
    expect((flops + attentions.reduce((sum, size) => sum + saved(size), 0)) / 1e9).toBeCloseTo(65.2, 1);
  });

  test("counts every parameter once", () => {
    expect(parameters).toBe(2_020_257);
    expect(layers.reduce((sum, row) => sum + row.parameters, 0)).toBe(2_020_257);
  });

  test("gives a convolution's size, cost and memory", () => {
    expect(layer("downs.0.0.block1.proj")).toEqual({
      name: "downs.0.0.block1.proj",
      layer: "WeightStandardizedConv2d",
      outputShape: [128, 28, 28, 28],
      parameters: 28 * 28 * 9 + 28,
      flops: 2 * 128 * 28 * 28 * 28 * (28 * 9),
      activationBytes: 4 * 128 * 28 * 28 * 28,
    });
  });

  test("counts an attention's two products apart from its convolutions", () => {
    expect(layer("mid_attn.fn.fn")).toMatchObject({ parameters: 0, flops: 2 * 2 * 128 * 4 * 49 * 49 * 32 });
    expect(layer("mid_attn.fn.fn.to_qkv")).toMatchObject({ flops: 2 * 128 * 49 * 384 * 112 });
  });

  test("grows with the images and leaves the model as it was", () => {
    const wide = summary(article, [28, 56], 1);
    expect(wide.flops).toBeGreaterThan(1.9 * summary(article, 28, 1).flops);
    expect(wide.layers.at(-1)?.outputShape).toEqual([1, 28, 56, 1]);
    for (const module of article.namedModules().values()) expect(Object.hasOwn(module, "forward")).toBe(false);
  });

  test("prints one line per layer, a heading and a total", () => {
    const lines = formatSummary(summary(article, 28)).split("\n");
    expect(lines).toHaveLength(layers.length + 2);
    expect(lines[0]).toMatch(/^layer +kind +output +parameters +FLOPs +activations$/);
    expect(lines.at(-1)).toMatch(/^total +2,020,257 +480\.32 M +\d+\.\d\d MiB$/);
  });

  test("covers every parameter of every network, also of one that must be told its classes", () => {
    const told = { channels: 1, numClasses: 3, nullClass: false };
    const models = [
      new AdmUnet({ ...told, numChannels: 8, channelMult: [1, 2], normGroups: 4, numHeads: 2 }),
      new DiT({ ...told, hiddenSize: 8, depth: 2, numHeads: 2 }),
    ];
    for (const model of models) {
      const { layers, parameters } = summary(model, 8, 2);
      expect(layers.reduce((sum, row) => sum + row.parameters, 0)).toBe(parameters);
      expect(parameters).toBe(model.parameterCount());
    }
    const [, { layers }] = models.map((model) => summary(model, 8, 2));
    const names = layers.map(({ name }) => name).filter((name) => name.startsWith("blocks.0."));
    expect(names).toEqual([
      "blocks.0.adaLN_modulation.1",
      "blocks.0.attn",
      "blocks.0.attn.qkv",
      "blocks.0.attn.proj",
      "blocks.0.mlp.fc1",
      "blocks.0.mlp.fc2",
    ]);
    // Two products per head over 16 tokens of 4 channels.
    expect(layers.find(({ name }) => name === "blocks.0.attn")).toMatchObject({ flops: 2 * 2 * 2 * 2 * 16 * 16 * 4 });
  });
});
