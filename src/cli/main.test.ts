import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandEnvironment, commandPath, runUnnoise } from "../../test/support/command.ts";
import type { Outcome } from "../../test/support/command.ts";
import { idxImages } from "../../test/support/idx-images.ts";
import { loadSharp } from "../io/images.node.ts";
import { metricsLine } from "../checkpoint/metrics.ts";

const parityFixtures = fileURLToPath(new URL("../../test/fixtures/parity", import.meta.url));
const imageFixtures = fileURLToPath(new URL("../../test/fixtures/images", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-cli-"));
  await writeFile(join(folder, "ramps-idx3-ubyte"), idxImages(16, 8));
});
afterAll(() => rm(folder, { recursive: true }));

const unnoise = (...args: string[]): Promise<Outcome> => runUnnoise(folder, ...args);
const words = (line: string): string[] => line.split(" ");

/** A model that trains in milliseconds on the reference device. */
const tiny = words(
  "--data ramps-idx3-ubyte --dim 4 --dim-mults 1,2 --attention-heads 1 --batch-size 4 --timesteps 20 " +
    "--sampling-timesteps 3 --samples 4 --sample-every 2 --save-every 3 --device reference",
);

async function lossesOf(run: string): Promise<number[]> {
  const lines = (await readFile(join(folder, run, "metrics.jsonl"), "utf8")).trim().split("\n");
  const parsed = lines.map((line) => metricsLine.parse(JSON.parse(line)));
  expect(parsed.map(({ step }) => step)).toEqual(lines.map((_, i) => i + 1));
  return parsed.map(({ loss }) => loss);
}

async function sizeOf(...path: string[]): Promise<{ width: number; height: number; pages: number }> {
  const {
    width,
    height,
    pages = 1,
    pageHeight,
  } = await (await loadSharp())(join(folder, ...path), { animated: true }).metadata();
  return { width, height: pageHeight ?? height, pages };
}

describe("unnoise", { timeout: 30_000 }, () => {
  test("explains itself", async () => {
    const { stdout, code } = await unnoise("--help");
    expect(code).toBe(0);
    for (const name of ["train", "sample", "interpolate", "noise", "info", "export", "parity"])
      expect(stdout).toMatch(new RegExp(`^ +${name} `, "m"));
    const train = await unnoise("train", "--help");
    expect(train.stdout).toContain("Examples:");
    expect(train.stdout).toContain("--batch-size");
    expect((await unnoise("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  const wrong: [string, number, RegExp][] = [
    ["", 2, /^Usage: unnoise/],
    ["frobnicate", 2, /unknown command 'frobnicate'/],
    ["train --sedd 3", 2, /unknown option '--sedd' \(Did you mean --seed\?\)/],
    ["train --steps 0", 2, /'--steps <n>' argument '0' is invalid. It must be a whole number of at least 1/],
    ["train --steps many", 2, /'--steps <n>' argument 'many' is invalid/],
    ["train --lr NaN", 2, /'--lr <x>' argument 'NaN' is invalid. It must be a number above 0/],
    ["train --steps 2 --epochs 2", 2, /cannot be used with/],
    ["train --device gpu", 2, /Allowed choices are auto, webgpu, wasm, reference/],
    ["train --data nowhere", 1, /--data must be fashion-mnist, mnist, cifar10, or a path that exists, got nowhere/],
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
    [
      "train --data ramps-idx3-ubyte --timesteps 10 --device reference",
      1,
      /steps must be a whole number from 1 to 10, got 40/,
    ],
    ["export --out model.bin", 1, /--out must end in .safetensors, got model.bin/],
    ["sample --checkpoint nothing.safetensors", 1, /^unnoise: nothing.safetensors: cannot read: no such file/],
    ["sample --checkpoint ramps-idx3-ubyte", 1, /ramps-idx3-ubyte: not a safetensors file/],
    ["sample --out picture.bmp", 1, /--out must end in .png, .jpg or .webp, got picture.bmp/],
    ["sample --out nowhere/picture.png", 1, /nowhere\/picture.png: cannot write: nowhere is no directory/],
    ["noise nothing.png", 1, /nothing.png: cannot read: no such file/],
    ["noise ramps-idx3-ubyte", 1, /ramps-idx3-ubyte: cannot decode this image/],
    ["noise x.png --at 0,300", 1, /--at must lie below --timesteps 300, got 300/],
    ["info nothing", 1, /nothing: cannot read/],
    ["parity .", 1, /no case there/],
  ];

  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async ([line, code, message]) => {
    const outcome = await unnoise(...words(line).filter((word) => word !== ""));
    expect(outcome.stderr).toMatch(message);
    expect(outcome.code).toBe(code);
    if (line !== "") expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });
});

describe("unnoise train", { timeout: 60_000 }, () => {
  test("trains, draws, and says where everything is", async () => {
    const { code, stdout, stderr } = await unnoise("train", ...tiny, ..."--steps 5 --out whole".split(" "));
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/data {4}ramps-idx3-ubyte: 16 images of 8 x 8 from the file ramps-idx3-ubyte/);
    expect(stdout).toMatch(/step 5\/5 {2}loss \d\.\d{4} {2}[\d.]+ images\/s {2}0s left/);
    expect(stdout).toContain("sample --checkpoint whole -n 16");
    expect(await lossesOf("whole")).toHaveLength(5);
    expect(await readdir(join(folder, "whole", "checkpoints"))).toEqual(["step-3.safetensors", "step-5.safetensors"]);
    expect(await readdir(join(folder, "whole", "samples"))).toEqual(["step-2.png", "step-4.png"]);
    // Two rows of two images of 8 pixels and three gaps of 2, so large that an image has 128.
    const grid = { width: 16 * 22, height: 16 * 22 };
    expect(await sizeOf("whole", "samples.png")).toEqual({ ...grid, pages: 1 });
    expect(await sizeOf("whole", "denoising.gif")).toEqual({ ...grid, pages: 4 });
    expect(await sizeOf("whole", "loss.svg")).toEqual({ width: 720, height: 360, pages: 1 });
  });

  test("trains a diffusion without timesteps, whose checkpoint draws by its own defaults", async () => {
    const edm = tiny.filter((_, i) => !["--timesteps", "20"].includes(tiny[i]));
    const trained = await unnoise("train", ...edm, ..."--diffusion edm --steps 2 --out edm".split(" "));
    expect([trained.stderr, trained.code]).toEqual(["", 0]);
    // Three levels by Heun's method.
    expect(trained.stdout).toContain("Drawing 4 images in 3 steps");
    const of = "--checkpoint edm --device reference -n 2";
    expect((await unnoise("sample", ...words(`${of} --out edm.png`))).stderr).toBe("");
    expect((await sizeOf("edm.png")).pages).toBe(1);
    const spaced = await unnoise("sample", ...words(`${of} --sampler ddim --timestep-spacing leading`));
    expect(spaced.stderr).toBe(
      "unnoise: ddim: takes timestepSpacing karras alone where the model knows no timesteps, got leading\n",
    );
    const described = await unnoise("info", "edm", "--device", "reference");
    expect(described.stdout).toContain("diffusion  EDM, sigmaData 0.5");
    const likelihood = await unnoise("evaluate", ..."--nll --checkpoint edm --device reference".split(" "));
    expect(likelihood.stderr).toBe("unnoise: --nll: needs a model with timesteps, this one is of edm\n");
  });

  test("says that a run is finished, and takes it further", async () => {
    const again = await unnoise("train", ..."--out whole --device reference".split(" "));
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("Finished: 5 steps are done, 5 were asked for.");
    expect(again.stdout).toContain("train --out whole --steps 10");
    expect(again.stdout).not.toContain("Drawing");
    await rm(join(folder, "whole", "denoising.gif"));
    const redrawn = await unnoise("train", ..."--out whole --device reference".split(" "));
    expect(redrawn.stdout).toContain("Drawing 4 images");
    expect(existsSync(join(folder, "whole", "denoising.gif"))).toBe(true);
    const further = await unnoise("train", ..."--out whole --device reference --steps 6".split(" "));
    expect(further.stdout).toContain("going on from step 5");
    expect(await lossesOf("whole")).toHaveLength(6);
  });

  test("refuses settings that the run was not begun with", async () => {
    const wider = await unnoise("train", ..."--out whole --device reference --steps 9 --dim 8".split(" "));
    expect(wider.code).toBe(1);
    expect(wider.stderr).toMatch(
      /step-6.safetensors: a checkpoint of another run, .*: model.dim is 4 there and 8 here/,
    );
    const other = await unnoise("train", ..."--out whole --preset annotated".split(" "));
    expect(other.stderr).toContain("whole is a run of preset fashion-mnist, not annotated");
    const fresh = await unnoise("train", ..."--out whole --no-resume".split(" "));
    expect(fresh.stderr).toContain("whole holds a run already");
    expect(await lossesOf("whole")).toHaveLength(6);
  });

  test("keeps what it learned up to a broken image, and goes on without it", async () => {
    const sharp = await loadSharp();
    await mkdir(join(folder, "pictures"));
    const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (const name of "abcdefgh") await writeFile(join(folder, "pictures", `${name}.png`), picture);
    // The order of a seed's first epoch is fixed: a comes in the second batch.
    await writeFile(join(folder, "pictures", "a.png"), picture.subarray(0, 40));
    const settings = "--image-size 8 --steps 4 --save-every 100 --sample-every 0 --samples 1 --out pictured";
    const command = ["train", ...tiny, ...words("--data pictures"), ...words(settings)];
    const broken = await unnoise(...command);
    expect(broken.stderr).toMatch(/^unnoise: pictures\/a.png: cannot decode this image: [^\n]*\n$/);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain("Stopped at step 1 with a checkpoint in pictured.\n");
    await rm(join(folder, "pictures", "a.png"));
    const mended = await unnoise(...command);
    expect(mended.stderr).toBe("");
    expect(mended.stdout).toContain("pictures has 7 images, 8 at the checkpoint: the next epoch begins\n");
    expect(await lossesOf("pictured")).toHaveLength(4);
  });

  test("keeps runs on other data apart", async () => {
    await unnoise("train", ...tiny, ...words("--steps 1 --sample-every 0 --out runs/fashion-mnist"));
    const other = await unnoise("train", "--data", "pictures", "--steps", "1");
    await rm(join(folder, "runs"), { recursive: true });
    expect(other.stderr).toBe(
      "unnoise: runs/fashion-mnist is a run on ramps-idx3-ubyte, not pictures: name another --out\n",
    );
  });

  test("stops at Ctrl-C with a checkpoint, and the same command gives what one run would have given", async () => {
    const command = ["train", ...tiny, ..."--steps 12 --save-every 100 --sample-every 0".split(" ")];
    const child = spawn(process.execPath, [commandPath, ...command, "--out", "stopped"], {
      cwd: folder,
      env: commandEnvironment(folder),
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (text.includes("step 1/12")) child.kill("SIGINT");
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(130);
    expect(stdout).toContain("Stopping after this step");
    const step = Number(/Stopped at step (\d+) with a checkpoint in stopped/.exec(stdout)?.[1]);
    expect(step).toBeLessThan(12);
    expect(await readdir(join(folder, "stopped", "checkpoints"))).toEqual([`step-${step}.safetensors`]);

    const rest = await unnoise(...command, "--out", "stopped");
    expect(rest.stdout).toContain(`going on from step ${step}`);
    await unnoise(...command, "--out", "unstopped");
    expect(await lossesOf("stopped")).toEqual(await lossesOf("unstopped"));
    const final = (run: string) => readFile(join(folder, run, "samples.png"));
    expect(await final("stopped")).toEqual(await final("unstopped"));
  });

  test("passes over a damaged checkpoint and goes on from the one before", async () => {
    await unnoise("train", ...tiny, ..."--steps 4 --save-every 2 --out torn".split(" "));
    await truncate(join(folder, "torn", "checkpoints", "step-4.safetensors"), 3000);
    const { code, stdout } = await unnoise("train", ..."--out torn --device reference".split(" "));
    expect(code).toBe(0);
    expect(stdout).toMatch(/passed over \S+step-4.safetensors: damaged/);
    expect(stdout).toContain("going on from step 2");
    expect(await lossesOf("torn")).toHaveLength(4);
  });

  test("stops in one line when training diverges, and keeps the checkpoint before", async () => {
    const { code, stderr } = await unnoise(
      "train",
      ...tiny,
      ..."--steps 50 --save-every 1 --sample-every 0 --warmup-steps 0 --lr 1e30 --out diverged".split(" "),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^unnoise: training diverged at step \d+: .*Try a lower learning rate[^\n]*\n$/);
  });
});

describe("unnoise sample", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await unnoise(
      "train",
      ...tiny,
      ..."--steps 2 --sample-every 0 --warmup-steps 0 --lr 0.1 --out runs/for-samples".split(" "),
    );
  }, 60_000);

  /** The pixels of a gray picture. */
  const pixelsOf = async (...path: string[]): Promise<number[]> => [
    ...(await (
      await loadSharp()
    )(join(folder, ...path))
      .extractChannel(0)
      .raw()
      .toBuffer()),
  ];

  test("draws the same images for the same seed, from the latest run", async () => {
    const flags = "-n 5 --seed 3 --grid 5 --device reference".split(" ");
    const first = await unnoise("sample", ...flags, "--out", "first.png", "--gif");
    expect(first.stderr).toBe("");
    expect(first.stdout).toContain("runs/for-samples/checkpoints/step-2.safetensors");
    expect(first.stdout).toContain("wrote first.gif");
    await unnoise(
      "sample",
      ...flags,
      "--out",
      "second.png",
      "--checkpoint",
      "runs/for-samples/checkpoints/step-2.safetensors",
    );
    expect(await readFile(join(folder, "second.png"))).toEqual(await readFile(join(folder, "first.png")));
    await unnoise("sample", ...flags, "--out", "raw.png", "--no-ema");
    expect(await readFile(join(folder, "raw.png"))).not.toEqual(await readFile(join(folder, "first.png")));
    expect(await sizeOf("first.png")).toEqual({ width: 12 * 52, height: 12 * 12, pages: 1 });
    expect(await sizeOf("first.gif")).toMatchObject({ pages: 4 });
  });

  test("exports the averaged weights, which draw the same images and cannot be trained on", async () => {
    const flags = "-n 2 --seed 3 --no-grid --device reference".split(" ");
    await unnoise("sample", ...flags, "--out", "whole");
    const single = await unnoise("export", "--f32", "--out", "exact.safetensors");
    expect(single.stdout).toMatch(/step-2\.safetensors, step 2\nwrote exact\.safetensors, [\d.]+ KiB\n$/);
    await unnoise("export", "--out", "half.safetensors");
    for (const name of ["exact", "half"])
      await unnoise("sample", ...flags, "--out", name, "--checkpoint", `${name}.safetensors`);
    const whole = await pixelsOf("whole", "1.png");
    expect(await pixelsOf("exact", "1.png")).toEqual(whole);
    const errors = (await pixelsOf("half", "1.png")).map((byte, i) => Math.abs(byte - whole[i]));
    expect(Math.max(...errors)).toBeLessThanOrEqual(2);
    await cp(join(folder, "exact.safetensors"), join(folder, "weights/checkpoints/step-2.safetensors"), {
      recursive: true,
    });
    const refused = await unnoise("train", ...tiny, ..."--steps 3 --out weights".split(" "));
    expect(refused.stderr).toMatch(
      /a checkpoint of the weights alone, for sampling: training goes on from a whole one/,
    );
  });

  test("writes single files, and other numbers of steps", async () => {
    const flags = "-n 11 --sampler ddim --steps 2 --eta 1 --no-grid --out single --device reference".split(" ");
    const { stderr } = await unnoise("sample", ...flags);
    expect(stderr).toBe("");
    expect(await readdir(join(folder, "single"))).toEqual(
      Array.from({ length: 11 }, (_, i) => `${String(i).padStart(2, "0")}.png`),
    );
    expect(await sizeOf("single", "00.png")).toEqual({ width: 8, height: 8, pages: 1 });
    const refused = await unnoise("sample", ..."--sampler ddpm --steps 21 --device reference".split(" "));
    expect(refused.stderr).toContain("ddpm: steps must be a whole number from 1 to 20, got 21");
  });

  test("edits images: --init with strength 0 changes nothing, --inpaint nothing where the mask is black", async () => {
    const sharp = await loadSharp();
    const raw = { raw: { width: 8, height: 8, channels: 1 } } as const;
    const image = Uint8Array.from({ length: 64 }, (_, i) => 20 + 3 * i);
    const mask = image.map((_, i) => (i < 32 ? 127 : 128));
    await sharp(image, raw).toColourspace("b-w").png().toFile(join(folder, "ramp.png"));
    await sharp(mask, raw).toColourspace("b-w").png().toFile(join(folder, "mask.png"));
    const flags = "-n 2 --no-grid --out edited --seed 1 --device reference".split(" ");
    await unnoise("sample", ...flags, ..."--init ramp.png --strength 0".split(" "));
    expect(await pixelsOf("edited", "1.png")).toEqual([...image]);
    const inpainting = "--inpaint ramp.png --mask mask.png --steps 4 --resamples 2 --jump-length 2".split(" ");
    const { stderr } = await unnoise("sample", ...flags, ...inpainting);
    expect(stderr).toBe("");
    const painted = await pixelsOf("edited", "1.png");
    expect(painted.slice(0, 32)).toEqual([...image].slice(0, 32));
    expect(painted.slice(32)).not.toEqual([...image].slice(32));
  });

  test("interpolates between two images in a row and an animation there and back", async () => {
    const flags = "parity-ramp.png parity-ramp.png -n 3 --steps 4 --gif --resize --device reference".split(" ");
    await unnoise("noise", join(imageFixtures, "gray.png"), ..."--size 16 --at 0 --out parity-ramp.png".split(" "));
    const { stdout, stderr } = await unnoise("interpolate", ...flags);
    expect(stderr).toBe("");
    expect(stdout).toContain("wrote interpolation.png");
    expect(await sizeOf("interpolation.png")).toEqual({ width: 16 * 32, height: 16 * 10 + 32, pages: 1 });
    expect(await sizeOf("interpolation.gif")).toMatchObject({ pages: 4 });
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
    const { code, stderr } = await unnoise("sample", ...flags.split(" "), "--device", "reference");
    expect(code).toBe(1);
    expect(stderr).toContain(`unnoise: ${line}`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test("info describes the checkpoint and its layers", async () => {
    const { stdout } = await unnoise("info", "--device", "reference");
    expect(stdout).toContain("trained    2 steps of 4 images");
    expect(stdout).toMatch(/downs\.0\.0\.block1\.proj +WeightStandardizedConv2d +\[1,8,8,4\]/);
    expect(stdout).toMatch(/of memory besides the parameters \(plan of reference\)/);
    const annotated = await unnoise("info", ..."--preset annotated --batch-size 1 --device reference".split(" "));
    expect(annotated.stdout).toContain("2,020,257");
  });
});

describe("classes on the command line", { timeout: 120_000 }, () => {
  const labelled = tiny.map((word) => (word === "ramps-idx3-ubyte" ? "labelled" : word));
  const once = words("--num-classes 2 --steps 1 --sample-every 0");
  beforeAll(async () => {
    await mkdir(join(folder, "labelled"));
    await writeFile(join(folder, "labelled", "images-idx3-ubyte"), idxImages(8, 8));
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 8, 0, 1, 0, 1, 0, 1, 0, 1);
    await writeFile(join(folder, "labelled", "labels-idx1-ubyte"), labels);
  });

  test("a class-conditional model draws the class that is asked for, by guidance otherwise", async () => {
    const trained = await unnoise("train", ...labelled, ...once, ..."--out classes --samples 4".split(" "));
    expect(trained.stderr).toBe("");
    // Two columns of two rows, one for each class: 8 pixels and 2 around each, enlarged.
    const grid = await sizeOf("classes", "samples.png");
    expect(grid.width).toBe(grid.height);
    const sample = async (name: string, flags: string) => {
      const outcome = await unnoise("sample", ...words(`--checkpoint classes --seed 1 --out ${name} ${flags}`));
      expect(outcome.stderr).toBe("");
      return readFile(join(folder, name));
    };
    const rest = "-n 2 --steps 3 --device reference";
    const [first, second] = [await sample("a.png", `--class 0 ${rest}`), await sample("b.png", `--class 1 ${rest}`)];
    expect(second).not.toEqual(first);
    expect(await sample("c.png", `--class 1 --guidance 1 ${rest}`)).toEqual(second);
    expect(await sample("d.png", `--class 1 --guidance 4 --rescale-phi 0.5 ${rest}`)).not.toEqual(second);
    const wrong = await unnoise("sample", ...words("--checkpoint classes --class 2 --device reference"));
    expect(wrong).toMatchObject({ code: 1, stderr: 'unnoise: no class "2". The classes are 0, 1\n' });
  });

  test("without --checkpoint a class is drawn by a run that knows classes, or by the model that comes along", async () => {
    await unnoise("train", ...tiny, ...words("--steps 1 --sample-every 0 --out runs/tells-none"));
    const drawn = await unnoise("sample", ...words("--class bag -n 1 --steps 1 --out bag.png --device wasm"));
    expect(drawn.stderr).toBe("");
    expect(drawn.stdout).toContain("checkpoint the garments that come with unnoise");
    await unnoise("train", ...labelled, ...words("--num-classes 2 --steps 1 --sample-every 0 --out runs/tells-two"));
    await unnoise("train", ...tiny, ...words("--steps 2 --sample-every 0 --out runs/tells-none"));
    const own = await unnoise("sample", ...words("--class 1 -n 1 --steps 1 --out own.png --device reference"));
    expect(own.stdout).toContain("checkpoint runs/tells-two/");
  });

  test("a classifier of noisy images guides a model that knows no classes, and draws nothing itself", async () => {
    await unnoise("train", ...labelled, ...words("--steps 1 --sample-every 0 --out plain"));
    const preset = words("--preset fashion-mnist-noisy-classifier --out classifier");
    const trained = await unnoise("train", ...labelled, ...once, ...preset);
    expect(trained.stderr).toBe("");
    expect(trained.stdout).toMatch(/It tells the classes of 8 of the images it learned from:\n\d+ % at noise/);
    expect(await readdir(join(folder, "classifier"))).not.toContain("samples.png");
    // The same schedule: that preset's is the default's.
    const rest = "--checkpoint plain --seed 1 --class 1 -n 2 --steps 3 --device reference --classifier classifier";
    const drawn = await unnoise("sample", ...words(`${rest} --guidance 2 --out guided.png`));
    expect(drawn).toMatchObject({ code: 0, stderr: "" });
    const itself = await unnoise("sample", ...words("--checkpoint classifier --device reference"));
    expect(itself.stderr).toContain("a classifier's, which draws no images but guides another model's samples");
    const described = await unnoise("info", "classifier", "--device", "reference");
    expect(described.stdout).toContain("classes    2: 0, 1");
  });
});

describe("unnoise noise", { timeout: 30_000 }, () => {
  test("draws the article's row, ever noisier", async () => {
    const sharp = await loadSharp();
    await sharp({ create: { width: 40, height: 30, channels: 3, background: "#804020" } })
      .png()
      .toFile(join(folder, "flat.png"));
    const { stderr } = await unnoise("noise", "flat.png");
    expect(stderr).toBe("");
    expect(await sizeOf("noise.png")).toEqual({ width: 5 * 128 + 6 * 2, height: 128 + 2 * 2, pages: 1 });
    const spread = async (image: number) => {
      const tile = sharp(join(folder, "noise.png")).extract({ left: 2 + image * 130, top: 2, width: 128, height: 128 });
      const { channels } = await sharp(await tile.toBuffer()).stats();
      return channels[0].stdev;
    };
    const spreads = await Promise.all([0, 1, 2, 3, 4].map(spread));
    // At t = 0 the noise has variance 1e-4, in bytes a deviation of 1.3.
    expect(spreads[0]).toBeGreaterThan(1);
    expect(spreads[0]).toBeLessThan(1.7);
    expect(spreads).toEqual(spreads.toSorted((a, b) => a - b));
  });
});

describe("unnoise parity", { timeout: 60_000 }, () => {
  test("fails in one line on a case whose files do not belong together", async () => {
    const { code, stderr } = await unnoise("parity", join(parityFixtures, "nowhere"), "--device", "reference");
    expect(code).toBe(1);
    expect(stderr).toMatch(/nowhere: cannot list: no such file or directory\n$/);
  });
});
