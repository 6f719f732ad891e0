import { cp } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";

const workspace = new Workspace("export");

describe("unnoise export", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await workspace.unnoise(
      "train",
      tinyTraining,
      "--steps 2 --sample-every 0 --warmup-steps 0 --lr 0.1 --out runs/for-samples",
    );
  }, 60_000);

  test("exports the averaged weights, which draw the same images and cannot be trained on", async () => {
    const flags = "-n 2 --seed 3 --no-grid --device reference";
    await workspace.unnoise("sample", flags, "--out", "whole");
    const single = await workspace.unnoise("export", "--f32", "--out", "exact.safetensors");
    expect(single.stdout).toMatch(/step-2\.safetensors, step 2\nwrote exact\.safetensors, [\d.]+ KiB\n$/);
    await workspace.unnoise("export", "--out", "half.safetensors");
    for (const name of ["exact", "half"])
      await workspace.unnoise("sample", flags, "--out", name, "--checkpoint", `${name}.safetensors`);
    const whole = await workspace.pixels("whole", "1.png");
    expect(await workspace.pixels("exact", "1.png")).toEqual(whole);
    const errors = (await workspace.pixels("half", "1.png")).map((byte, i) => Math.abs(byte - whole[i]));
    expect(Math.max(...errors)).toBeLessThanOrEqual(2);
    await cp(workspace.file("exact.safetensors"), workspace.file("weights/checkpoints/step-2.safetensors"), {
      recursive: true,
    });
    const refused = await workspace.unnoise("train", tinyTraining, "--steps 3 --out weights");
    expect(refused.stderr).toMatch(
      /a checkpoint of the weights alone, for sampling: training goes on from a whole one/,
    );
  });

  test("refuses another ending than that of its format", async () => {
    await expectOneLine(workspace, ["export --out model.bin", 1, /--out must end in .safetensors, got model.bin/]);
  });
});
