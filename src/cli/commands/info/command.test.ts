import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";

const workspace = new Workspace("info");

describe("unnoise info", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await workspace.unnoise(
      "train",
      tinyTraining,
      "--steps 2 --sample-every 0 --warmup-steps 0 --lr 0.1 --out runs/for-samples",
    );
  }, 60_000);

  test("describes the checkpoint and its layers", async () => {
    const { stdout } = await workspace.unnoise("info", "--device", "reference");
    expect(stdout).toContain("trained    2 steps of 4 images");
    expect(stdout).toMatch(/downs\.0\.0\.block1\.proj +WeightStandardizedConv2d +\[1,8,8,4\]/);
    expect(stdout).toMatch(/of memory besides the parameters \(plan of reference\)/);
    const annotated = await workspace.unnoise("info", "--preset annotated --batch-size 1 --device reference");
    expect(annotated.stdout).toContain("2,020,257");
  });

  test("says what it cannot read", async () => {
    await expectOneLine(workspace, ["info nothing", 1, /nothing: cannot read/]);
  });
});
