import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadSharp } from "../../../io/images/images.node.ts";
import { openMask } from "./open-image.ts";

const folder = mkdtempSync(join(tmpdir(), "unnoise-mask-"));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, "mask.png");
const size = { width: 4, height: 1, channels: 1 };
const [black, gray, white] = [0, 128, 255];

/** A mask of one row of pixels, each [level, alpha]; what it paints and what is said of it. */
async function maskOf(
  ...pixels: readonly (readonly [number, number])[]
): Promise<{ painted: number[]; lines: string[] }> {
  const data = Uint8Array.from(pixels.flatMap(([level, alpha]) => [level, level, level, alpha]));
  const sharp = await loadSharp();
  await sharp(data, { raw: { width: pixels.length, height: 1, channels: 4 } })
    .png()
    .toFile(path);
  const lines: string[] = [];
  const { data: painted } = await openMask(path, size, false, (line) => lines.push(line.slice(path.length + 2)));
  return { painted: [...painted], lines };
}

describe("a mask is what a viewer shows on black", () => {
  test.each([
    [
      "white and black",
      [
        [white, 255],
        [black, 255],
        [white, 255],
        [black, 255],
      ],
      [1, 0, 1, 0],
    ],
    [
      "white on transparent black",
      [
        [white, 255],
        [black, 0],
        [black, 0],
        [black, 0],
      ],
      [1, 0, 0, 0],
    ],
    [
      "white on transparent white",
      [
        [white, 255],
        [white, 0],
        [white, 0],
        [white, 0],
      ],
      [1, 0, 0, 0],
    ],
    [
      "black on transparent white, and white",
      [
        [black, 255],
        [white, 0],
        [white, 255],
        [white, 0],
      ],
      [0, 0, 1, 0],
    ],
    [
      "what is nearly transparent",
      [
        [white, 255],
        [white, 4],
        [black, 255],
        [black, 4],
      ],
      [1, 0, 0, 0],
    ],
  ] as const)("%s", async (_, pixels, painted) => {
    expect(await maskOf(...pixels)).toEqual({ painted, lines: [] });
  });

  test("and is told where it paints nothing or all", async () => {
    const nothing = await maskOf([black, 255], [white, 0], [black, 0], [black, 255]);
    expect(nothing).toEqual({
      painted: [0, 0, 0, 0],
      lines: ["paints nothing: the mask has no white that is not transparent"],
    });
    const all = await maskOf([white, 255], [white, 255], [white, 255], [white, 255]);
    expect(all.lines).toEqual(["paints all of the image: the mask has no black and nothing transparent"]);
  });

  test("with soft edges is taken at middle gray, and said to be", async () => {
    expect(await maskOf([white, 255], [gray, 255], [white, 100], [black, 255])).toEqual({
      painted: [1, 1, 0, 0],
      lines: ["50 % of the mask is gray; what is brighter than middle gray is painted"],
    });
  });
});
