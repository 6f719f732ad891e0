import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { Unet } from "./unet.ts";
import { UnetClassifier } from "./classifier.ts";

const small = { dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 2, attentionDimHead: 4, numClasses: 3 };
const time = ndarray([3, 250], [2], "i32");

describe("a U-Net's encoder that classifies", () => {
  test("gives logits for each image, which depend on it and its time alone", async () => {
    const model = new UnetClassifier(small);
    const x = new Random(1).array([2, 4, 6, 1]);
    const run = (images = x, t = time) => evaluate((x, t) => model.forward(x, t), images, t);
    const both = await run();
    expect(both.shape).toEqual([2, 3]);
    const second = await run(ndarray(x.data.slice(24), [1, 4, 6, 1]), ndarray([250], [1], "i32"));
    expect(largestDifference(second.data, both.data.slice(3))).toBeLessThan(1e-6);
    const later = await run(x, ndarray([3, 251], [2], "i32"));
    expect(largestDifference(later.data.slice(3), both.data.slice(3))).toBeGreaterThan(1e-6);
  });

  test("shares the names, and for a seed the values, of a U-Net's first half", async () => {
    const { numClasses: _, ...plain } = small;
    const [classifier, whole] = [new UnetClassifier(small), new Unet(plain)];
    const [own, others] = [await classifier.stateDict(), await whole.stateDict()];
    const head = [...own.keys()].filter((name) => !others.has(name));
    expect(head).toEqual(["out_norm.weight", "out_norm.bias", "out.weight", "out.bias"]);
    for (const [name, value] of own) if (others.has(name)) expect(others.get(name), name).toEqual(value);
    for (const [name, variable] of classifier.parameters()) expect(variable.name).toBe(name);
  });

  test("says in one line what it cannot be or take", async () => {
    expect(() => new UnetClassifier({ ...small, numClasses: 1 })).toThrow(
      "UnetClassifier: numClasses must be at least 2, got 1",
    );
    expect(() => new UnetClassifier({ ...small, dim: 7 })).toThrow("UnetClassifier: dim must be even and at least 4");
    const odd = new Random(2).array([1, 4, 5, 1]);
    const model = new UnetClassifier(small);
    await expect(evaluate((x, t) => model.forward(x, t), odd, ndarray([1], [1], "i32"))).rejects.toThrow(
      "UnetClassifier: height and width must be divisible by 2 with 2 resolutions, got 4 x 5",
    );
  });
});
