import { expect, test } from "vitest";
import { countGraph } from "../../src/bench/gpu/counts.ts";
import { stableDiffusionGraph } from "../../src/bench/gpu/stable-diffusion.ts";
import { predictionGraph, trainingGraph } from "../../src/bench/gpu/step-graph.ts";

// What a GPU is asked to do, counted without one. Bounds are what it is today: where a change counts less, they follow.
test("the article's training step asks no more of a GPU than it did", async () => {
  const single = countGraph(await trainingGraph("dim28", 128, "f32"), "f32");
  expect(single.dispatches).toBeLessThanOrEqual(777);
  expect(single.shaders).toBeLessThanOrEqual(233);
  expect(single.bytes).toBeLessThanOrEqual(9.09e9);
  expect(single.longestSerialLoop).toBeLessThanOrEqual(12);
  expect(single.smallReductions).toBe(0);
  expect(single.smallProducts).toBe(0);
  expect(single.packs).toBeLessThanOrEqual(16);
  expect(single.longestSubmission).toBeLessThanOrEqual(0.05);
  expect(single.flops).toBeCloseTo(183.9e9, -8);
  const half = countGraph(await trainingGraph("dim28", 128, "f16"), "f16");
  expect(half.dispatches).toBeLessThanOrEqual(837);
  expect(half.shaders).toBeLessThanOrEqual(315);
  expect(half.bytes).toBeLessThanOrEqual(5.09e9);
  expect(half.smallReductions).toBeLessThanOrEqual(1);
  expect(half.workspaceBytes).toBeLessThan(0.7 * single.workspaceBytes);
});

// Convolutions are summed in parts here: 22 dispatches more, and loops a few times shorter.
test("a prediction of one image asks no more of a GPU than it did", () => {
  const counts = countGraph(predictionGraph("dim28-single", 1), "f32");
  expect(counts.dispatches).toBeLessThanOrEqual(402);
  expect(counts.shaders).toBeLessThanOrEqual(84);
  expect(counts.longestSerialLoop).toBeLessThanOrEqual(6);
  expect(counts.smallReductions).toBeLessThanOrEqual(3);
  expect(counts.smallProducts).toBe(0);
});

test("a prediction of Stable Diffusion's size moves 19.4 GB, since attention stores no similarities", () => {
  // Of two latents of 64 x 64: the similarities of one layer would be 2 x 8 x 4096 x 4096 numbers.
  const counts = countGraph(stableDiffusionGraph({ batchSize: 2, latent: 64 }), "f32");
  expect(counts.kinds.find(({ kind }) => kind === "attention")).toMatchObject({ dispatches: 10, small: 0 });
  expect(counts.bytes).toBeLessThanOrEqual(19.4e9);
  expect(counts.largestBytes).toBeLessThan(2 ** 27);
  expect(counts.workspaceBytes).toBeLessThanOrEqual(242 * 2 ** 20);
});
