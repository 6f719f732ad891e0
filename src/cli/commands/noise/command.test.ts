import { describe, expect, test } from "vitest";
import { Workspace, expectOneLine } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

const workspace = new Workspace("noise");

const wrong: WrongLine[] = [
  ["noise x.png --out nowhere/a.png", 1, /nowhere\/a.png: cannot write: nowhere is no directory/],
  ["noise x.png --out a.bmp", 1, /--out must end in .png, .jpg or .webp, got a.bmp/],
  ["noise x.png --out a.webp --size 4096", 1, /a.webp: a WebP has at most 16383 pixels a side/],
  ["noise nothing.png", 1, /nothing.png: cannot read: no such file/],
  ["noise ramps-idx3-ubyte", 1, /ramps-idx3-ubyte: not an image, but an IDX file/],
  ["noise x.png --at 0,300", 1, /--at must lie below --timesteps 300, got 300/],
];

describe("unnoise noise", { timeout: 30_000 }, () => {
  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async (line) => {
    await expectOneLine(workspace, line);
  });

  test("draws the article's row, ever noisier", async () => {
    const sharp = await loadSharp();
    await sharp({ create: { width: 40, height: 30, channels: 3, background: "#804020" } })
      .png()
      .toFile(workspace.file("flat.png"));
    const { stderr } = await workspace.unnoise("noise", "flat.png");
    expect(stderr).toBe("");
    expect(await workspace.pictureSize("noise.png")).toEqual({ width: 5 * 128 + 6 * 2, height: 128 + 2 * 2, pages: 1 });
    const spread = async (image: number) => {
      const tile = sharp(workspace.file("noise.png")).extract({
        left: 2 + image * 130,
        top: 2,
        width: 128,
        height: 128,
      });
      const { channels } = await sharp(await tile.toBuffer()).stats();
      return channels[0].stdev;
    };
    const spreads = await Promise.all([0, 1, 2, 3, 4].map(spread));
    // At t = 0 the noise has variance 1e-4, in bytes a deviation of 1.3.
    expect(spreads[0]).toBeGreaterThan(1);
    expect(spreads[0]).toBeLessThan(1.7);
    expect(spreads).toEqual(spreads.toSorted((a, b) => a - b));
  });

  test("shows as many timesteps of a shorter process", async () => {
    const { stdout, stderr } = await workspace.unnoise("noise flat.png --timesteps 100 --size 8 --out short.png");
    expect([stderr, stdout]).toEqual(["", "wrote short.png: t = 0, 16, 33, 50, 66 of 100, linear schedule\n"]);
    const one = await workspace.unnoise("noise flat.png --timesteps 1 --size 8 --out one.png");
    expect([one.stderr, one.stdout]).toEqual(["", "wrote one.png: t = 0 of 1, linear schedule\n"]);
  });
});
