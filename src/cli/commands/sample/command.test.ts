import { existsSync } from "node:fs";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";
import { encodeCheckpoint } from "../../../checkpoint/checkpoint.ts";
import { readCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { writeSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

const imageFixtures = fileURLToPath(new URL("../../../../test/fixtures/images", import.meta.url));
const workspace = new Workspace("sample");

const wrong: WrongLine[] = [
  ["sample --checkpoint nothing.safetensors", 1, /^unnoise: nothing.safetensors: cannot read: no such file/],
  ["sample --checkpoint ramps-idx3-ubyte", 1, /ramps-idx3-ubyte: not a safetensors file/],
  ["sample --out picture.bmp", 1, /--out must end in .png, .jpg or .webp, got picture.bmp/],
  ["sample --out nowhere/picture.png", 1, /nowhere\/picture.png: cannot write: nowhere is no directory/],
];

describe("unnoise sample", { timeout: 120_000 }, () => {
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

  test("draws as the run was told to, unless a flag says otherwise", async () => {
    const flags = "-n 2 --seed 3 --device reference";
    const [own, named, other] = await Promise.all(
      [
        ["own.png"],
        ["named.png", "--sampler dpmSolver++2MSde --steps 3 --eta 0.5 --timestep-spacing karras"],
        ["other.png", "--sampler ddim"],
      ].map(async ([out, way = ""]) => {
        const { stderr } = await workspace.unnoise("sample", flags, way, "--out", out);
        expect(stderr).toBe("");
        return readFile(workspace.file(out));
      }),
    );
    expect(own).toEqual(named);
    expect(own).not.toEqual(other);
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

  test("draws image k of a seed however many are drawn, and nothing that another seed has", async () => {
    const flags = "--steps 1 --no-grid --device reference";
    await workspace.unnoise(`sample -n 70 --seed 0 --out seed0 ${flags}`);
    await workspace.unnoise(`sample -n 66 --seed 1 --out seed1 ${flags}`);
    await workspace.unnoise(`sample -n 3 --seed 0 --out few ${flags}`);
    const all = async (name: string) =>
      Promise.all((await readdir(workspace.file(name))).toSorted().map((file) => workspace.pixels(name, file)));
    const [seed0, seed1, few] = await Promise.all(["seed0", "seed1", "few"].map(all));
    expect(few).toEqual(seed0.slice(0, 3));
    expect(new Set([...seed0, ...seed1].map(String)).size).toBe(70 + 66);
  });

  test("draws images of another size, not square either", async () => {
    const { stderr } = await workspace.unnoise("sample -n 2 --no-grid --image-size 12x8 --out wide --device reference");
    expect(stderr).toBe("");
    expect(await workspace.pictureSize("wide", "0.png")).toEqual({ width: 12, height: 8, pages: 1 });
    const edit = `sample -n 1 --no-grid --image-size 16 --out edit16 --init ${join(imageFixtures, "gray.png")}`;
    expect((await workspace.unnoise(edit, "--device reference")).stderr).toBe("");
    expect(await workspace.pictureSize("edit16", "0.png")).toMatchObject({ width: 16, height: 16 });
    const wrong = await workspace.unnoise("sample --image-size 12by8");
    expect(wrong.stderr).toMatch(/'--image-size <size>' argument '12by8' is invalid. It must be a whole number/);
  });

  test("announces older pictures, and keeps what is drawn at Ctrl-C", async () => {
    const flags = "--no-grid --seed 1 --out kept --steps 20 --sampler ddim --device reference";
    await workspace.unnoise(`sample -n 70 ${flags} --steps 1`);
    const again = await workspace.unnoise(`sample -n 3 ${flags} --steps 1`);
    expect(again.stdout).toMatch(/^kept has 70 pictures from before, which stay$/m);
    const same = await workspace.unnoise(`sample -n 64 ${flags} --steps 1`);
    expect(same.stdout).toMatch(/^kept has 73 pictures from before, of which 64 will be replaced$/m);
  });

  test("writes each batch before the next is drawn, and says at Ctrl-C how many there are", async () => {
    const line = "sample -n 640 --no-grid --seed 1 --out stopped --sampler ddim --steps 20 --device reference";
    const outcome = await workspace.whileRunning(line, "checkpoint", async (kill) => {
      while (!existsSync(workspace.file("stopped", "063.png"))) await setTimeout(20);
      kill("SIGINT");
    });
    expect([outcome.code, outcome.stderr]).toEqual([130, ""]);
    const count = (await readdir(workspace.file("stopped"))).length;
    expect(count % 64).toBe(0);
    expect(count).toBeLessThan(640);
    expect(outcome.stdout).toContain(`Stopped with ${count} of 640 images drawn.\nwrote stopped\n`);
  });

  test.each([
    ["-n 900 --scale 64 --out a.webp", /^unnoise: a\.webp: a WebP has at most 16383 pixels a side, this one would be/],
    ["-n 10000 --grid 10000 --scale 1 --out a.jpg", /a\.jpg: a JPEG has at most 65500 pixels a side/],
    ["-n 20000 --scale 64 --out a.png", /a\.png: at most 268402689 pixels are written at once, this would be/],
    ["-n 64 --grid 64 --scale 64 --gif wide.webp --out a.png", /wide\.webp: a WebP has at most 16383 pixels a side/],
    ["--out directory.png", /directory\.png: cannot write: it is not a regular file|directory\.png: cannot write/],
    ["--no-grid --out ramps-idx3-ubyte", /ramps-idx3-ubyte: is a file, where a directory is needed/],
    ["--no-grid --out ramps-idx3-ubyte/deeper", /cannot write|is a file, where a directory is needed/],
    [
      "--no-grid --out many.png",
      /--no-grid writes a file per image into the directory --out, got the picture many\.png/,
    ],
    ["--out /proc/a.png", /\/proc\/a\.png: cannot write/],
    [`--out ${"long".repeat(80)}.png`, /cannot write: the name is too long/],
  ])("refuses %s before anything is drawn", async (flags, line) => {
    await mkdir(workspace.file("directory.png"), { recursive: true });
    const { code, stdout, stderr } = await workspace.unnoise("sample --seed 2 --device reference", flags);
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect([code, stdout.includes("wrote")]).toEqual([1, false]);
  });

  test("a model whose weights are not numbers draws nothing", async () => {
    const path = workspace.file("runs/for-samples/checkpoints/step-2.safetensors");
    const checkpoint = await readCheckpoint(path);
    const [name, { shape, dtype, data }] = [...(checkpoint.ema ?? checkpoint.model)][0];
    const broken = { shape, dtype, data: Float32Array.from(data, () => Number.NaN) };
    const { tensors, metadata } = await encodeCheckpoint({
      ...checkpoint,
      ema: new Map([...(checkpoint.ema ?? checkpoint.model), [name, broken]]),
    });
    await writeSafetensors(workspace.file("broken.safetensors"), tensors, metadata);
    const flags = "--checkpoint broken.safetensors --device reference";
    const ramp = join(imageFixtures, "gray.png");
    for (const line of [
      "sample -n 2 --out broken.png",
      "sample -n 2 --no-grid --out broken",
      `interpolate ${ramp} ${ramp} --resize --out broken.png`,
      "evaluate --nll 2 --data ramps-idx3-ubyte",
      "evaluate -n 10 --data ramps-idx3-ubyte --features untrained",
    ]) {
      const { code, stderr } = await workspace.unnoise(line, flags);
      expect(stderr).toMatch(/^unnoise: [^\n]*(NaN|not finite|finite)[^\n]*\n$/);
      expect(code).toBe(1);
    }
    expect(await readdir(workspace.path)).not.toContain("broken.png");
  });

  test("takes as many steps from an image as there are, where no strength is given", async () => {
    const line = `sample -n 1 --init ${join(imageFixtures, "gray.png")} --resize --steps 1 --out one.png --device reference`;
    expect((await workspace.unnoise(line)).stderr).toBe("");
    const asked = await workspace.unnoise(line, "--strength 0.5");
    expect(asked.stderr).toMatch(/strength must leave one of 1 steps at least, 1, got 0.5/);
  });
});
