import { expect, test } from "vitest";
import { articleUnet, blocksOf, mapOf } from "./model.ts";

test("the map of the network has every block in its place, and all parameters and operations", () => {
  const unet = articleUnet();
  const map = mapOf(unet, 28);
  const blocks = blocksOf(map);
  expect(blocks).toHaveLength(31);
  expect(blocks.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(2_020_257);
  expect(map.parameters).toBe(unet.parameterCount());
  expect(blocks.reduce((sum, { flops }) => sum + flops, 0)).toBe(map.flops);
  expect(map.levels.map(({ side }) => side)).toEqual([28, 14, 7]);
  for (const { down, up } of map.levels) {
    expect(down.slice(0, 3).map(({ kind }) => kind)).toEqual(["residual", "residual", "attention"]);
    expect(up.slice(0, 3).map(({ kind }) => kind)).toEqual(["residual", "residual", "attention"]);
  }
  const kinds = (kind: string) => blocks.filter((block) => block.kind === kind).map(({ name }) => name);
  expect(kinds("size")).toEqual(["downs.0.3", "downs.1.3", "ups.0.3", "ups.1.3"]);
  expect(kinds("convolution")).toEqual(["init_conv", "downs.2.3", "ups.2.3", "final_conv"]);
  expect(blocks.at(-1)?.shape).toEqual([28, 28, 1]);
});
