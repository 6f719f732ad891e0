import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";
import { loadSharp } from "../../../io/images.node.ts";

const imageFixtures = fileURLToPath(new URL("../../../../test/fixtures/images", import.meta.url));
const workspace = new Workspace("sample");

const wrong: WrongLine[] = [
  ["sample --checkpoint nothing.safetensors", 1, /^unnoise: nothing.safetensors: cannot read: no such file/],
  ["sample --checkpoint ramps-idx3-ubyte", 1, /ramps-idx3-ubyte: not a safetensors file/],
  ["sample --out picture.bmp", 1, /--out must end in .png, .jpg or .webp, got picture.bmp/],
  ["sample --out nowhere/picture.png", 1, /nowhere\/picture.png: cannot write: nowhere is no directory/],
];

describe("unnoise sample", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await workspace.unnoise(
      "train",
      tinyTraining,
      "--steps 2 --sample-every 0 --warmup-steps 0 --lr 0.1 --out runs/for-samples",
    );
  }, 60_000);

  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async (line) => {
    await expectOneLine(workspace, line);
  });

  test("draws the same images for the same seed, from the latest run", async () => {
    const flags = "-n 5 --seed 3 --grid 5 --device reference";
    const first = await workspace.unnoise("sample", flags, "--out", "first.png", "--gif");
    expect(first.stderr).toBe("");
    expect(first.stdout).toContain("runs/for-samples/checkpoints/step-2.safetensors");
    expect(first.stdout).toContain("wrote first.gif");
    await workspace.unnoise(
      "sample",
      flags,
      "--out",
      "second.png",
      "--checkpoint",
      "runs/for-samples/checkpoints/step-2.safetensors",
    );
    expect(await readFile(workspace.file("second.png"))).toEqual(await readFile(workspace.file("first.png")));
    await workspace.unnoise("sample", flags, "--out", "raw.png", "--no-ema");
    expect(await readFile(workspace.file("raw.png"))).not.toEqual(await readFile(workspace.file("first.png")));
    expect(await workspace.pictureSize("first.png")).toEqual({ width: 12 * 52, height: 12 * 12, pages: 1 });
    expect(await workspace.pictureSize("first.gif")).toMatchObject({ pages: 4 });
  });

  test("writes single files, and other numbers of steps", async () => {
    const flags = "-n 11 --sampler ddim --steps 2 --eta 1 --no-grid --out single --device reference";
    const { stderr } = await workspace.unnoise("sample", flags);
    expect(stderr).toBe("");
    expect(await readdir(workspace.file("single"))).toEqual(
      Array.from({ length: 11 }, (_, i) => `${String(i).padStart(2, "0")}.png`),
    );
    expect(await workspace.pictureSize("single", "00.png")).toEqual({ width: 8, height: 8, pages: 1 });
    const refused = await workspace.unnoise("sample", "--sampler ddpm --steps 21 --device reference");
    expect(refused.stderr).toContain("ddpm: steps must be a whole number from 1 to 20, got 21");
  });

  test("edits images: --init with strength 0 changes nothing, --inpaint nothing where the mask is black", async () => {
    const sharp = await loadSharp();
    const raw = { raw: { width: 8, height: 8, channels: 1 } } as const;
    const image = Uint8Array.from({ length: 64 }, (_, i) => 20 + 3 * i);
    const mask = image.map((_, i) => (i < 32 ? 127 : 128));
    await sharp(image, raw).toColourspace("b-w").png().toFile(workspace.file("ramp.png"));
    await sharp(mask, raw).toColourspace("b-w").png().toFile(workspace.file("mask.png"));
    const flags = "-n 2 --no-grid --out edited --seed 1 --device reference";
    await workspace.unnoise("sample", flags, "--init ramp.png --strength 0");
    expect(await workspace.pixels("edited", "1.png")).toEqual([...image]);
    const inpainting = "--inpaint ramp.png --mask mask.png --steps 4 --resamples 2 --jump-length 2";
    const { stderr } = await workspace.unnoise("sample", flags, inpainting);
    expect(stderr).toBe("");
    const painted = await workspace.pixels("edited", "1.png");
    expect(painted.slice(0, 32)).toEqual([...image].slice(0, 32));
    expect(painted.slice(32)).not.toEqual([...image].slice(32));
  });

  test.each([
    ["--strength 0.5", "--strength: is for --init <image>"],
    ["--inpaint ramp.png", "--inpaint <image> and --mask <image>: give both or none"],
    ["--resamples 3", "--resamples and --jump-length: are for --inpaint <image>"],
    ["--resize", "--resize: is for --init and --inpaint"],
    ["--init nothing.png", "nothing.png: cannot read: no such file"],
    [
      `--init ${join(imageFixtures, "gray.png")}`,
      `${join(imageFixtures, "gray.png")}: has 16 x 16 pixels, the model's images 8 x 8; --resize scales and cuts it`,
    ],
  ])("refuses %s in one line", async (flags, line) => {
    const { code, stderr } = await workspace.unnoise("sample", flags, "--device", "reference");
    expect(code).toBe(1);
    expect(stderr).toContain(`unnoise: ${line}`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
