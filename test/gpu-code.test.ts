import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { tileCost } from "../bench/gpu-code/issue-cycles.ts";
import { LEAST_ADAPTER, convolutionOf, productsOf, typicalKernels } from "../bench/gpu-code/kernels.ts";
import type { ProductCode } from "../bench/gpu-code/kernels.ts";
import {
  ENOUGH_WORKGROUPS,
  candidateTiles,
  chooseTile,
  invocationsOf,
  nameOfTile,
  workgroupBytesOf,
} from "../src/backend/webgpu/kernels/tile.ts";
import type { Precision } from "../src/backend/common/precision.ts";

const precisions: readonly Precision[] = ["f32", "f16"];

/** What stands in the loop over tiles, and what of it is not in the loop over four steps each. */
function loopOf({ wgsl }: ProductCode): { all: string; staging: string } {
  const start = wgsl.indexOf("for (var tile = 0;");
  const steps = wgsl.indexOf("for (var k = 0;", start);
  const end = wgsl.indexOf("\n  }\n", steps);
  expect(Math.min(start, steps, end)).toBeGreaterThan(0);
  return { all: wgsl.slice(start, end), staging: wgsl.slice(start, steps) };
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

describe("the code of products", () => {
  test.each(typicalKernels)("has no slow work in its loop: $name", ({ code }) => {
    for (const precision of precisions) {
      const product = code(precision);
      const { tile, wgsl } = product;
      const { all } = loopOf(product);
      expect(count(all, /= fma\(/g) * 4).toBe(tile.rowsEach * tile.columnsEach * 4);
      expect(count(all, /workgroupBarrier/g)).toBe(2);
      // The loop over a tile runs a number of times that is written there; how many tiles there are is a size.
      const [tiles, ...steps] = all.match(/for \(.*\) \{/g) ?? [];
      expect(tiles).toMatch(/^for \(var tile = 0; tile < sizes\.n\d+; tile\+\+\) \{$/);
      expect(steps).toEqual([`for (var k = 0; k < ${tile.inner / 4}; k++) {`]);
      // Nothing is divided: places in windows, and pixels, are counted up.
      expect(all, wgsl).not.toMatch(/ [/%] /);
      // Only what is beside the image or beyond the end is tested for, without a branch for each condition.
      expect(all).not.toContain("&&");
    }
  });

  test("reads vectors of four wherever they lie so", () => {
    for (const { name, code } of typicalKernels) {
      if (name.startsWith("4095")) continue;
      const { staging } = loopOf(code("f32"));
      const { tile } = code("f32");
      const fours = (tile.rows + tile.columns) * (tile.inner / 4);
      expect(count(staging, /buffer\d\[[^\]]*>> 2u\]/g), name).toBe(fours / invocationsOf(tile));
    }
  });
});

describe("tiles", () => {
  test("keep to what every adapter has", () => {
    const sizes = [1, 3, 9, 16, 17, 31, 32, 33, 64, 65, 100, 128, 4096];
    for (const rows of sizes)
      for (const columns of sizes)
        for (const inner of [4, 9, 4096]) {
          const tile = chooseTile({ batches: 1, rows, columns, inner }, LEAST_ADAPTER);
          const fact = `${rows}x${inner}x${columns}: ${nameOfTile(tile)}`;
          expect(invocationsOf(tile), fact).toBeLessThanOrEqual(256);
          expect(invocationsOf(tile), fact).toBeGreaterThanOrEqual(16);
          expect(workgroupBytesOf(tile), fact).toBeLessThanOrEqual(16_384);
        }
    const candidates = candidateTiles({ batches: 1, rows: 4096, columns: 4096, inner: 4096 }, LEAST_ADAPTER);
    expect(candidates.length).toBeGreaterThan(10);
    for (const tile of candidates) expect(workgroupBytesOf(tile)).toBeLessThanOrEqual(16_384);
  });
});

/** Convolutions of Stable Diffusion 1.5's U-Net at 64x64, batch 2: side, channels in and out, kernel, stride. */
const STABLE_DIFFUSION: readonly (readonly [
  side: number,
  into: number,
  out: number,
  kernel: number,
  stride?: number,
])[] = [
  [64, 4, 320, 3],
  [64, 320, 320, 3],
  [64, 320, 320, 1],
  [64, 320, 320, 3, 2],
  [32, 320, 640, 3],
  [32, 640, 640, 3],
  [32, 320, 640, 1],
  [32, 640, 640, 1],
  [32, 640, 640, 3, 2],
  [16, 640, 1280, 3],
  [16, 1280, 1280, 3],
  [16, 640, 1280, 1],
  [16, 1280, 1280, 1],
  [16, 1280, 1280, 3, 2],
  [8, 1280, 1280, 3],
  [8, 1280, 1280, 1],
  [8, 2560, 1280, 3],
  [8, 2560, 1280, 1],
  [16, 2560, 1280, 3],
  [16, 1920, 1280, 3],
  [16, 2560, 1280, 1],
  [16, 1920, 1280, 1],
  [32, 1920, 640, 3],
  [32, 1280, 640, 3],
  [32, 960, 640, 3],
  [64, 960, 320, 3],
  [64, 640, 320, 3],
  [64, 320, 4, 3],
];

describe("workgroups", () => {
  test("keep a large GPU busy in all of Stable Diffusion's convolutions", () => {
    for (const [side, inChannels, outChannels, kernel, stride] of STABLE_DIFFUSION) {
      const { leaves, result } = convolutionOf({
        batch: 2,
        side,
        inChannels,
        outChannels,
        kernel,
        stride: stride ?? 1,
      });
      const [{ workgroups }] = productsOf(leaves, [result], "f32");
      expect(workgroups, [side, inChannels, outChannels, kernel].join(" ")).toBeGreaterThanOrEqual(ENOUGH_WORKGROUPS);
    }
  });
});

describe("machine code of an AMD GPU", () => {
  const disassembly = readFileSync(new URL("fixtures/gpu-code/dot.txt", import.meta.url), "utf8");

  test("is counted by the loop that encloses the one of multiply-adds", () => {
    // 256 multiply-adds and 9 other vector instructions four times, and what brings the next tile: 25.
    expect(tileCost(disassembly, 1024)).toEqual({ multiplyAdds: 1024, issueCycles: 4 * 265 + 25 });
  });

  test("is refused where it does not fit the tile, or is none", () => {
    expect(() => tileCost(disassembly, 1000)).toThrow("a tile takes 1000 multiply-adds, and the loop has 256");
    expect(() => tileCost("nothing", 1024)).toThrow("the driver printed no disassembly");
    expect(() => tileCost("disasm:\nBB0:\n\tv_fma_f32\n", 1)).toThrow("no loop");
  });
});
