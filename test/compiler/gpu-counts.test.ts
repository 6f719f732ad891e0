import { expect, test } from "vitest";
import { countGraph } from "../../src/bench/gpu/counts.ts";
import { predictionGraph, trainingGraph } from "../../src/bench/gpu/step-graph.ts";

// What a GPU is asked to do, counted without one. Bounds are what it is today: where a change counts less, they follow.
test("the article's training step asks no more of a GPU than it did", async () => {
  const single = countGraph(await trainingGraph("dim28", 128, "f32"), "f32");
  expect(single.dispatches).toBeLessThanOrEqual(1919);
  expect(single.shaders).toBeLessThanOrEqual(572);
  expect(single.bytes).toBeLessThanOrEqual(11.74e9);
  expect(single.longestSerialLoop).toBeLessThanOrEqual(784);
  expect(single.smallReductions).toBeLessThanOrEqual(132);
  expect(single.smallProducts).toBeLessThanOrEqual(24);
  expect(single.packs).toBeLessThanOrEqual(39);
  expect(single.flops).toBeCloseTo(183.9e9, -8);
  const half = countGraph(await trainingGraph("dim28", 128, "f16"), "f16");
  expect(half.dispatches).toBeLessThanOrEqual(1949);
  expect(half.shaders).toBeLessThanOrEqual(646);
  expect(half.bytes).toBeLessThanOrEqual(8.07e9);
  expect(half.workspaceBytes).toBeLessThan(0.7 * single.workspaceBytes);
});

test("a prediction of one image asks no more of a GPU than it did", () => {
  const counts = countGraph(predictionGraph("dim28-single", 1), "f32");
  expect(counts.dispatches).toBeLessThanOrEqual(542);
  expect(counts.shaders).toBeLessThanOrEqual(167);
  expect(counts.longestSerialLoop).toBeLessThanOrEqual(196);
  expect(counts.smallReductions).toBeLessThanOrEqual(12);
});
