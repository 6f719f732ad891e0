import { existsSync } from "node:fs";
import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

const workspace = new Workspace("train");

const wrong: WrongLine[] = [
  ["train --sedd 3", 2, /unknown option '--sedd' \(Did you mean --seed\?\)/],
  ["train --steps 0", 2, /'--steps <n>' argument '0' is invalid. It must be a whole number of at least 1/],
  ["train --steps many", 2, /'--steps <n>' argument 'many' is invalid/],
  ["train --lr NaN", 2, /'--lr <x>' argument 'NaN' is invalid. It must be a number above 0/],
  ["train --steps 2 --epochs 2", 2, /cannot be used with/],
  ["train --device gpu", 2, /Allowed choices are auto, webgpu, wasm, reference/],
  [
    "train --data nowhere",
    1,
    /--data must be fashion-mnist, mnist, cifar10, hub:<dataset>, or a path that exists, got nowhere/,
  ],
  [
    "train --data ramps-idx3-ubyte --batch-size 99 --device reference",
    1,
    /batchSize 99 needs as many images, .* has 16/,
  ],
  [
    "train --data ramps-idx3-ubyte --batch-size 4 --dim-mults 1,2,4,8,16 --device reference",
    1,
    /must be divisible by 16 .* got 8 x 8/,
  ],
  ["train --out ramps-idx3-ubyte", 1, /^unnoise: ramps-idx3-ubyte: is a file, where a directory is needed/],
  ["train --out ramps-idx3-ubyte/run", 1, /ramps-idx3-ubyte.*: (is a file|cannot write)/],
  ["train --out /proc/run --data ramps-idx3-ubyte", 1, /^unnoise: \/proc\/file: cannot write/],
  [
    "train --data ramps-idx3-ubyte --batch-size 4 --samples 10000000 --device reference",
    1,
    /runs\/fashion-mnist\/samples.png: at most 268402689 pixels are written at once/,
  ],
  [
    "train --data ramps-idx3-ubyte --batch-size 4 --samples 1000000 --device reference",
    1,
    /denoising.gif: at most 1073741824 pixels are written at once, this would be 11 frames of/,
  ],
  ["train --data ramps-idx3-ubyte --threads 2 --device reference", 1, /--threads: is for the processor, --device wasm/],
  ["train --threads 0", 2, /'--threads <n>' argument '0' is invalid. It must be a whole number of at least 1/],
];

/** Writes red pictures of one letter's name each; returns the file. */
async function picturesIn(directory: string, names: string, size = { width: 8, height: 8 }): Promise<Uint8Array> {
  const sharp = await loadSharp();
  await mkdir(workspace.file(directory), { recursive: true });
  const picture = await sharp({ create: { ...size, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  for (const name of names) {
    await writeFile(workspace.file(directory, `${name}.png`), picture);
    await utimes(workspace.file(directory, `${name}.png`), 1e9, 1e9);
  }
  return picture;
}

describe("unnoise train", { timeout: 120_000 }, () => {
  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async (line) => {
    await expectOneLine(workspace, line);
    expect(existsSync(workspace.file("runs"))).toBe(false);
  });

  test("trains, draws, and says where everything is", async () => {
    const { code, stdout, stderr } = await workspace.unnoise("train", tinyTraining, "--steps 5 --out whole");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/data {4}ramps-idx3-ubyte: 16 images of 8 x 8 from the file ramps-idx3-ubyte/);
    expect(stdout).toMatch(/step 5\/5 {2}loss \d\.\d{4} {2}[\d.]+ images\/s {2}0s left/);
    expect(stdout).toContain("sample --checkpoint whole -n 16");
    expect(await workspace.losses("whole")).toHaveLength(5);
    expect(await readdir(workspace.file("whole", "checkpoints"))).toEqual(["step-3.safetensors", "step-5.safetensors"]);
    expect(await readdir(workspace.file("whole", "samples"))).toEqual(["step-2.png", "step-4.png"]);
    // Two rows of two images of 8 pixels and three gaps of 2, so large that an image has 128.
    const grid = { width: 16 * 22, height: 16 * 22 };
    expect(await workspace.pictureSize("whole", "samples.png")).toEqual({ ...grid, pages: 1 });
    expect(await workspace.pictureSize("whole", "denoising.gif")).toEqual({ ...grid, pages: 4 });
    expect(await workspace.pictureSize("whole", "loss.svg")).toEqual({ width: 720, height: 360, pages: 1 });
  });

  test("trains a diffusion without timesteps, whose checkpoint draws by its own defaults", async () => {
    const edm = tinyTraining.replace("--timesteps 20", "");
    const trained = await workspace.unnoise("train", edm, "--diffusion edm --steps 2 --out edm");
    expect([trained.stderr, trained.code]).toEqual(["", 0]);
    // Three levels by Heun's method.
    expect(trained.stdout).toContain("Drawing 4 images in 3 steps");
    const of = "--checkpoint edm --device reference -n 2";
    expect((await workspace.unnoise("sample", `${of} --out edm.png`)).stderr).toBe("");
    expect((await workspace.pictureSize("edm.png")).pages).toBe(1);
    const spaced = await workspace.unnoise("sample", `${of} --sampler ddim --timestep-spacing leading`);
    expect(spaced.stderr).toBe(
      "unnoise: ddim: takes timestepSpacing karras alone where the model knows no timesteps, got leading\n",
    );
    const described = await workspace.unnoise("info", "edm", "--device", "reference");
    expect(described.stdout).toContain("diffusion  EDM, sigmaData 0.5");
    const likelihood = await workspace.unnoise("evaluate", "--nll --checkpoint edm --device reference");
    expect(likelihood.stderr).toBe("unnoise: --nll: needs a model with timesteps, this one has none\n");
  });

  test("names all broken images at the start, and leaves them out if asked to", async () => {
    const whole = await picturesIn("some-broken", "abcdef");
    for (const name of "gh") await writeFile(workspace.file("some-broken", `${name}.png`), whole.subarray(0, 40));
    const command = ["train", tinyTraining, "--data some-broken --image-size 8 --steps 1 --samples 1 --out mended"];
    const broken = await workspace.unnoise(...command);
    expect(broken.stderr).toMatch(
      /^unnoise: some-broken: 2 images cannot be read: some-broken\/g.png: [^;]+; some-broken\/h.png: [^;]+; --skip-broken leaves them out\n$/,
    );
    expect(existsSync(workspace.file("mended"))).toBe(false);
    const { stderr, stdout } = await workspace.unnoise(...command, "--skip-broken");
    expect(stderr).toBe("");
    expect(stdout).toContain(
      "some-broken: 6 images of 8 x 8 pixels\nsome-broken: left out g.png, h.png (cannot decode",
    );
  });

  test("keeps what it learned up to an image that breaks, and goes on without it", async () => {
    const picture = await picturesIn("pictures", "abcdefgh");
    const settings = "--image-size 8 --steps 4 --save-every 100 --sample-every 0 --samples 1 --out pictured";
    const command = ["train", tinyTraining, "--data pictures", settings];
    expect((await workspace.unnoise(...command, "--steps 1 --out looked-at")).stderr).toBe("");
    // Of the same length and date, so that the start trusts it. In the first epoch of this seed, a is in the second batch.
    await writeFile(workspace.file("pictures", "a.png"), new Uint8Array(picture.length));
    await utimes(workspace.file("pictures", "a.png"), 1e9, 1e9);
    const broken = await workspace.unnoise(...command);
    expect(broken.stderr).toBe(
      "unnoise: pictures: 1 image cannot be read: pictures/a.png: not an image, but nothing but zeros\n",
    );
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain("Stopped at step 1 with a checkpoint in pictured.\n");
    await rm(workspace.file("pictures", "a.png"));
    const mended = await workspace.unnoise(...command);
    expect(mended.stderr).toBe("");
    expect(mended.stdout).toContain("pictures has 7 images, 8 at the checkpoint: the next epoch begins\n");
    expect(await workspace.losses("pictured")).toHaveLength(4);
  });

  test("chooses size, colour and classes from a directory of images, and says so", async () => {
    for (const name of ["cat", "dog"]) await picturesIn(`animals/${name}`, "abcd", { width: 24, height: 16 });
    await mkdir(workspace.file("animals/.cache"));
    const command = [tinyTraining.replace("ramps-idx3-ubyte", "animals"), "--steps 1 --samples 2 --out chosen"];
    const { stderr, stdout } = await workspace.unnoise("train", ...command);
    expect(stderr).toBe("");
    expect(stdout).toContain("animals: 8 images of 24 x 16 pixels\nanimals: 2 classes: cat (4), dog (4)\n");
    expect(stdout).toContain("animals: left out .cache (hidden)\n");
    expect(stdout).toContain(
      "chosen by the images: 24 x 16 pixels, in colour, 2 classes (--image-size, --channels, --no-classes change that)",
    );
    expect(stdout).toContain("preset photos");
    // Non-square images all the way.
    const drawn = await workspace.unnoise(
      "sample",
      "--checkpoint chosen --device reference -n 1 --class dog --no-grid --out one",
    );
    expect(drawn.stderr).toBe("");
    expect(await workspace.pictureSize("one", "0.png")).toMatchObject({ width: 24, height: 16 });
    const further = await workspace.unnoise("train", ...command, "--steps 2");
    expect(further.stderr).toBe("");
    expect(further.stdout).toContain("going on from step 1");
  });

  test("takes a size that is not square, and no classes, where it is told to", async () => {
    for (const name of ["cat", "dog"]) await picturesIn(`beasts/${name}`, "abcd");
    const command = [tinyTraining.replace("ramps-idx3-ubyte", "beasts"), "--steps 1 --samples 1 --no-classes"];
    const { stderr, stdout } = await workspace.unnoise(
      "train",
      ...command,
      "--image-size 12x8 --channels 1 --out wide",
    );
    expect(stderr).toBe("");
    expect(stdout).not.toContain("classes");
    expect(stdout).not.toContain("chosen");
    expect(stdout).toContain("data    beasts: 8 images of 12 x 8");
    const odd = await workspace.unnoise("train", ...command, "--image-size 9x8 --out odd");
    expect(odd.stderr).toBe("unnoise: --image-size: both sides must be divisible by 2 for --dim-mults, got 9x8\n");
  });

  test("stops in one line when training diverges, and keeps the checkpoint before", async () => {
    const { code, stderr } = await workspace.unnoise(
      "train",
      tinyTraining,
      "--steps 50 --save-every 1 --sample-every 0 --warmup-steps 0 --lr 1e30 --out diverged",
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^unnoise: training diverged at step \d+: .*Try a lower learning rate[^\n]*\n$/);
  });

  test("goes on where a preview or the picture of the losses cannot be written", async () => {
    const command = `train ${tinyTraining} --steps 4 --sample-every 1 --out previews`;
    await mkdir(workspace.file("previews", "samples", "step-2.png"), { recursive: true });
    await mkdir(workspace.file("previews", "loss.svg"));
    const { code, stdout, stderr } = await workspace.unnoise(command);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/\nno samples of step 2: previews\/samples\/step-2.png: cannot write: [^\n]*\n/);
    expect(stdout).toMatch(/\nno picture of the losses: previews\/loss.svg: cannot write: [^\n]*\n/);
    expect(stdout).toContain("samples previews/samples/step-3.png");
    expect(await workspace.losses("previews")).toHaveLength(4);
    expect(existsSync(workspace.file("previews", "samples.png"))).toBe(true);
  });

  test("goes on where the directory of previews has gone", async () => {
    const command = `train ${tinyTraining} --steps 40 --sample-every 10 --out gone`;
    const { code, stdout, stderr } = await workspace.whileRunning(command, "samples gone/samples/step-10.png", () =>
      rm(workspace.file("gone", "samples"), { recursive: true }),
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(
      "no samples of step 30: gone/samples/step-30.png: cannot write: no such file or directory",
    );
    expect(await workspace.losses("gone")).toHaveLength(40);
  });

  test("lets what nobody has said follow from what was said", async () => {
    const model = "--dim 6 --attention-heads 1 --steps 1 --samples 2 --sample-every 0 --device reference";
    await writeFile(workspace.file("odd-idx3-ubyte"), oddImages(10, 15));
    const { code, stdout, stderr } = await workspace.unnoise(
      `train --data odd-idx3-ubyte --timesteps 10 --schedule linear ${model} --out fitted`,
    );
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain(
      "chosen by the images: no classes, batches of 10, one resolution (--num-classes, --batch-size, --dim-mults change that)\n",
    );
    expect(stdout).toContain("Drawing 2 images in 10 steps");
    // The schedule destroys nothing in ten steps, and that is said once.
    expect(stdout.match(/^warning the last of 10 timesteps still has [\d.]+ % of the image's variance/gm)).toHaveLength(
      1,
    );
    const further = await workspace.unnoise("train --out fitted --steps 2 --device reference");
    expect([further.stderr, further.stdout]).toEqual(["", expect.not.stringContaining("warning")]);
  });

  test("takes the processor's threads from a flag, with the same result", async () => {
    const flags = tinyTraining.replace("--device reference", "--device wasm");
    const losses = [];
    for (const threads of [1, 2]) {
      const run = `train ${flags} --steps 2 --sample-every 0 --threads ${threads} --out threads-${threads}`;
      const { stdout, stderr } = await workspace.unnoise(run);
      expect(stderr).toBe("");
      expect(stdout).toContain(`WebAssembly, ${threads} thread`);
      losses.push(await workspace.losses(`threads-${threads}`));
    }
    expect(losses[1]).toEqual(losses[0]);
  });

  test("shows names from files and does what they say to a terminal in nothing", async () => {
    const sharp = await loadSharp();
    const folder = workspace.file("named");
    const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (const name of ["\u001b[31mred", "two\nlines"]) {
      await mkdir(join(folder, name), { recursive: true });
      for (const file of ["a.png", "b.png"]) await writeFile(join(folder, name, file), picture);
    }
    const flags = `--image-size 8 --steps 1 --samples 2 --batch-size 2 --sample-every 0 --dim 4 --dim-mults 1,2`;
    const run = `train --data named ${flags} --attention-heads 1 --timesteps 10 --device reference --out named-run`;
    const trained = await workspace.unnoise(run);
    const described = await workspace.unnoise("info named-run --device reference");
    await writeFile(join(folder, "two\nlines", "broken\u001b]0;x\u0007.png"), picture.subarray(0, 40));
    const broken = await workspace.unnoise(run.replace("named-run", "other-run"));
    const unknown = await workspace.unnoise("sample --checkpoint named-run --class green --device reference");
    expect([trained.stderr, described.stderr]).toEqual(["", ""]);
    for (const text of [trained.stdout, described.stdout, unknown.stderr]) {
      expect(text).toContain("\\u001b[31mred");
      expect(text).toMatch(/two\\+nlines/);
    }
    expect(broken.stderr).toContain("broken\\u001b]0;x\\u0007.png");
    expect(broken.stderr.trimEnd().split("\n")).toHaveLength(1);
    const all = [trained, described, broken, unknown].map(({ stdout, stderr }) => stdout + stderr).join("");
    expect(all.replaceAll("\n", "").match(/\p{Cc}/gu)).toBeNull();
  });
});

/** Gray ramps whose sides are no multiple of two. */
function oddImages(count: number, size: number): Uint8Array {
  const header = Buffer.alloc(16);
  [0x803, count, size, size].forEach((word, i) => header.writeUInt32BE(word, 4 * i));
  return Buffer.concat([header, Uint8Array.from({ length: count * size * size }, (_, i) => (i * 7) % 256)]);
}
