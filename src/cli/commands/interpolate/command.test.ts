import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";

const imageFixtures = fileURLToPath(new URL("../../../../test/fixtures/images", import.meta.url));
const workspace = new Workspace("interpolate");

describe("unnoise interpolate", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await workspace.unnoise(
      "train",
      tinyTraining,
      "--steps 2 --sample-every 0 --warmup-steps 0 --lr 0.1 --out runs/for-samples",
    );
  }, 60_000);

  test("draws what lies between two images in a row and an animation there and back", async () => {
    const flags = "parity-ramp.png parity-ramp.png -n 3 --steps 4 --gif --resize --device reference";
    await workspace.unnoise("noise", join(imageFixtures, "gray.png"), "--size 16 --at 0 --out parity-ramp.png");
    const { stdout, stderr } = await workspace.unnoise("interpolate", flags);
    expect(stderr).toBe("");
    expect(stdout).toContain("wrote interpolation.png");
    expect(await workspace.pictureSize("interpolation.png")).toEqual({
      width: 16 * 32,
      height: 16 * 10 + 32,
      pages: 1,
    });
    expect(await workspace.pictureSize("interpolation.gif")).toMatchObject({ pages: 4 });
  });

  test.each([
    ["--out nowhere/a.png", /nowhere\/a.png: cannot write: nowhere is no directory/],
    ["--out a.webp -n 64 --scale 64", /a.webp: a WebP has at most 16383 pixels a side/],
    ["--out a.png --gif a.bmp", /--gif must end in .gif or .webp, got a.bmp/],
  ])("refuses %s before anything is drawn", async (flags, message) => {
    const image = join(imageFixtures, "gray.png");
    await expectOneLine(workspace, [`interpolate ${image} ${image} --resize ${flags} --device reference`, 1, message]);
  });

  test("takes one step where no share of it is said", async () => {
    const image = join(imageFixtures, "gray.png");
    const { stderr } = await workspace.unnoise(
      `interpolate ${image} ${image} --resize -n 3 --steps 1 --out one.png --device reference`,
    );
    expect(stderr).toBe("");
  });
});
