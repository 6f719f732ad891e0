import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { decodeImage } from "../src/io/images/images.node.ts";
import { readSafetensors } from "../src/io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../src/io/safetensors/safetensors.ts";
import { Workspace, expectOneLine } from "./support/workspace.ts";

const workspace = new Workspace("pretrained");
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const flat = fixture("pretrained/flat");
const gray = fixture("parquet/gray.parquet");

describe("published models on the command line", { timeout: 120_000 }, () => {
  test("sample --pretrained draws Python's pictures of a seed", async () => {
    const ddim = "--sampler ddim --steps 10 --eta 0.5 --seed 3 -n 2 --no-grid --out drawn";
    const { stdout, stderr } = await workspace.unnoise("sample", `--pretrained ${flat} ${ddim}`);
    expect(stderr).toBe("");
    expect(stdout).toContain("DDPMPipeline");
    const { tensors } = await readSafetensors(fixture("pretrained/drawn.safetensors"));
    const theirs = tensors.get("ddim-of-ddpm");
    const expected = theirs ? Array.from(toFloat32(theirs), (value) => Math.round(value * 255)) : [];
    const size = { width: 8, height: 8, channels: 3 };
    const pixels = await Promise.all(["0", "1"].map((i) => decodeImage(workspace.file("drawn", `${i}.png`), size)));
    const ours = [...pixels[0], ...pixels[1]];
    expect(ours).toHaveLength(expected.length);
    expect(Math.max(...ours.map((byte, i) => Math.abs(byte - expected[i])))).toBeLessThanOrEqual(1);
  });

  test("info --pretrained describes one without its weights", async () => {
    const { stdout } = await workspace.unnoise("info", `--pretrained ${flat} --device reference`);
    expect(stdout).toContain("scheduler  DDPMScheduler: 1000 timesteps, linear, predicts epsilon");
    expect(stdout).toMatch(/mid_block\.attentions\.0/);
    expect(stdout).toContain("parameters     11,767");
  });

  test("train --from takes its weights over, and export --diffusers writes them back", async () => {
    const rate = "--lr 1e-30 --warmup-steps 0 --ema-decay 0 --steps 1 --batch-size 4 --samples 1 --device reference";
    const trained = await workspace.unnoise("train", `--from ${flat} --data ${gray} --no-classes ${rate} --out tuned`);
    expect(trained.stderr).toBe("");
    const exported = await workspace.unnoise("export", "tuned --diffusers out");
    expect(exported.stderr).toBe("");
    expect((await readdir(workspace.file("out"), { recursive: true })).toSorted()).toEqual([
      "README.md",
      "model_index.json",
      "samples.png",
      "scheduler",
      "scheduler/scheduler_config.json",
      "unet",
      "unet/config.json",
      "unet/diffusion_pytorch_model.safetensors",
    ]);
    // At no rate of learning, everything is as it was.
    for (const [ours, theirs] of [
      ["out/unet/diffusion_pytorch_model.safetensors", `${flat}/diffusion_pytorch_model.safetensors`],
      ["out/unet/config.json", `${flat}/config.json`],
      ["out/scheduler/scheduler_config.json", `${flat}/scheduler_config.json`],
    ]) {
      const [a, b] = [await readFile(workspace.file(ours)), await readFile(theirs)];
      if (ours.endsWith(".json")) expect(JSON.parse(a.toString())).toEqual(JSON.parse(b.toString()));
      else expect(a.equals(b)).toBe(true);
    }
    expect(await readFile(workspace.file("out/README.md"), "utf8")).toContain(
      "Trained on 12 images of 8 x 8 pixels, gray.parquet.",
    );
  });

  test.each([
    ["sample --pretrained no/such/folder", /no\/such\/folder: no such folder, and no name of the hub/],
    [`sample --pretrained ${flat} --class 1`, /--class: does not go with --pretrained/],
    ["sample --revision main", /--revision: is for published models/],
    [`info --pretrained ${flat} --preset annotated`, /give only one of a checkpoint, --preset and --pretrained/],
    [`train --from ${flat} --objective predV --out x`, /--objective: the network is that of --from/],
  ])("answers `unnoise %s` with one line", async (line, message) => {
    await expectOneLine(workspace, [line, 1, message]);
  });
});
