import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Workspace, expectOneLine } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";
import { SHIPPED_MODEL } from "../../runs/runs.ts";

const workspace = new Workspace("import");
const fixture = (name: string) => new URL(`../../../../test/fixtures/pytorch/${name}`, import.meta.url);
for (const name of ["article.pt", "trainer.pt", "attack.pt"]) copyFileSync(fixture(name), workspace.file(name));
writeFileSync(workspace.file("page.pt"), "<!doctype html><html></html>");
copyFileSync(SHIPPED_MODEL, workspace.file("own.safetensors"));

const wrong: WrongLine[] = [
  ["import article.pt", 2, /required option '--from <code>' not specified/],
  ["import article.pt --from elsewhere", 2, /Allowed choices are article, denoising-diffusion-pytorch/],
  ["import none.pt --from article", 1, /^unnoise: none\.pt: cannot read: no such file or directory$/m],
  ["import page.pt --from article", 1, /^unnoise: page\.pt: not a PyTorch file, but a web page: /],
  [
    "import attack.pt --from article",
    1,
    /asks for "posix\.system", which is not read from files; nothing of it was run/,
  ],
  ["import own.safetensors --from article --out x.safetensors", 1, /own\.safetensors: a file of unnoise/],
  ["import article.pt --from article --out x.bin", 1, /--out must end in \.safetensors, got x\.bin/],
];

describe("unnoise import", { timeout: 60_000 }, () => {
  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async (line) => {
    await expectOneLine(workspace, line);
    expect(existsSync(workspace.file("attacked"))).toBe(false);
  });

  test("makes a checkpoint that sample draws with, and says what it could not know", async () => {
    const { stderr, stdout } = await workspace.unnoise("import article.pt --from article --image-size 12x8");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/wrote article\.safetensors, \d+ KiB\n\nSamples: {2}npm run/);
    expect(stdout).toContain("dim 4, dimMults 1,2\nimages  12 x 8, gray\n");
    expect(stdout).toContain("not in the file: --timesteps, --schedule, --objective, --resnet-block-groups;");
    const drawn = await workspace.unnoise(
      "sample --checkpoint article.safetensors --device reference -n 1 --steps 2 --sampler ddim --no-grid --out drawn",
    );
    expect(drawn.stderr).toBe("");
    expect(await workspace.pictureSize("drawn", "0.png")).toMatchObject({ width: 12, height: 8 });
  });

  test("takes the average of what a Trainer keeps", async () => {
    const { stderr, stdout } = await workspace.unnoise(
      "import trainer.pt --from article --image-size 8 --out t.safetensors",
    );
    expect(stderr).toBe("");
    expect(stdout).toContain("weights trainer.pt, ema.ema_model.model.*\n");
    expect(stdout).toContain("not in the file: --resnet-block-groups;");
  });
});
