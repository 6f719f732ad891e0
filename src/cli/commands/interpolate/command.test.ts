import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, tinyTraining } from "../../../../test/support/workspace.ts";

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
});
