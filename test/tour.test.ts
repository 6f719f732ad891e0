import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSharp } from "../src/io/images/images.node.ts";
import { runUnnoise } from "./support/command.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-tour-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a command that must succeed and complain of nothing, and returns what it prints. */
async function unnoise(line: string): Promise<string> {
  const { stdout, stderr, code } = await runUnnoise(folder, ...line.split(" "));
  expect([stderr, code]).toEqual(["", 0]);
  return stdout;
}

/** Decodes a picture whole; `spread` is the largest standard deviation of a channel. */
async function picture(...path: string[]) {
  const sharp = await loadSharp();
  const file = sharp(join(folder, ...path), { animated: true });
  const { format, width, height, pages = 1, pageHeight = height } = await file.metadata();
  const { channels } = await file.stats();
  return { format, width, height: pageHeight, pages, spread: Math.max(...channels.map(({ stdev }) => stdev)) };
}

/** Pixels across a grid of images with 2 pixels between and around them, each pixel four times as large. */
const across = (images: number, size = 28) => 4 * (images * (size + 2) + 2);

test("a tour on the wasm device: train, sample, noise, info and parity", { timeout: 120_000 }, async () => {
  const model = "--dim 8 --dim-mults 1,2 --attention-heads 1 --timesteps 50 --sampling-timesteps 4";
  const data = `--data ${join(root, "data", "fashion-mnist")}`;
  const trained = await unnoise(
    `train ${data} ${model} --steps 3 --batch-size 8 --sample-every 2 --samples 9 --device wasm --out runs/tour`,
  );
  expect(trained).toContain("10,000 images of 28 x 28");
  expect(trained).toContain("WebAssembly");
  expect(trained).toMatch(/step 3\/3 {2}loss \d\.\d{4}/);
  expect(await readdir(join(folder, "runs", "tour", "checkpoints"))).toEqual(["step-3.safetensors"]);
  const grid = { width: across(3), height: across(3) };
  expect(await picture("runs", "tour", "samples", "step-2.png")).toMatchObject({ format: "png", ...grid });
  expect(await picture("runs", "tour", "samples.png")).toMatchObject({ format: "png", ...grid });
  expect(await picture("runs", "tour", "denoising.gif")).toMatchObject({ format: "gif", ...grid, pages: 5 });

  const sampled = await unnoise("sample -n 3 --grid 3 --seed 5 --gif drawn.gif --out drawn.png --device wasm");
  expect(sampled).toContain("runs/tour/checkpoints/step-3.safetensors");
  const row = { width: across(3), height: across(1) };
  const drawn = await picture("drawn.png");
  expect(drawn).toMatchObject({ format: "png", ...row });
  // Anything but one flat gray.
  expect(drawn.spread).toBeGreaterThan(10);
  expect(await picture("drawn.gif")).toMatchObject({ format: "gif", ...row, pages: 5 });

  await unnoise("noise drawn.png --size 32 --at 0,20,40 --timesteps 50 --out noisy.webp");
  expect(await picture("noisy.webp")).toMatchObject({ format: "webp", width: across(3, 32), height: across(1, 32) });

  const described = await unnoise("info runs/tour --device wasm");
  expect(described).toContain("trained    3 steps of 8 images");
  expect(described).toMatch(/of memory besides the parameters \(plan of wasm\)/);

  const parity = await unnoise(`parity ${join(root, "test", "fixtures", "parity", "gray")} --device wasm --json`);
  expect(JSON.parse(parity)).toMatchObject({ device: "wasm", pass: true });

  const losses = (await readFile(join(folder, "runs", "tour", "metrics.jsonl"), "utf8")).trim().split("\n");
  expect(losses).toHaveLength(3);
});
