import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { HubServer } from "../../../test/support/hub-server.ts";
import { evaluate } from "../../backend/evaluate.ts";
import { toBytes } from "../../io/images/pixels.ts";
import { readSafetensors } from "../../io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import { literal } from "../../tensor/tensor.ts";
import { modelFromPretrained } from "./model.ts";
import { DiffusionPipeline } from "./pipeline.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/pretrained", import.meta.url));
const { tensors: drawn } = await readSafetensors(join(fixtures, "drawn.safetensors"));
const drawnBy = (name: string): Float32Array => {
  const tensor = drawn.get(name);
  if (!tensor) throw new Error(`internal: no ${name}`);
  return toFloat32(tensor);
};
const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (value, i) => Math.abs(value - b[i])).reduce((most, error) => Math.max(most, error), 0);

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "unnoise-pipeline-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a pipeline that diffusers has saved", () => {
  test.each([
    ["flat", "ddpm", { steps: 20, seed: 0 }],
    ["ddim", "ddim", { steps: 10, seed: 1 }],
    ["ddim", "ddim-eta", { steps: 10, seed: 2, eta: 0.5 }],
    ["ddpm", "ddim-of-ddpm", { steps: 10, seed: 3, eta: 0.5, sampler: "ddim" }],
  ] as const)("%s draws Python's pictures %s for %j", async (place, name, options) => {
    const pipeline = await DiffusionPipeline.fromPretrained(join(fixtures, place));
    const { data, shape } = await pipeline.sample({ batchSize: 2, ...options });
    expect(shape).toEqual([2, 8, 8, 3]);
    const theirs = drawnBy(name);
    const ours = Float32Array.from(data, (value) => Math.min(1, Math.max(0, value / 2 + 0.5)));
    expect(worst(ours, theirs)).toBeLessThan(1e-4);
    const bytes = toBytes(Float32Array.from(data as Float32Array));
    expect(
      worst(
        bytes,
        theirs.map((value) => Math.round(value * 255)),
      ),
    ).toBeLessThanOrEqual(1);
  });

  test("is a network that answers as PyTorch's does, alone too", async () => {
    const model = await modelFromPretrained(join(fixtures, "ddpm"), { subfolder: "unet" });
    const x = { data: Float32Array.from(drawnBy("image")), shape: [2, 8, 8, 3], dtype: "f32" } as const;
    const time = { data: Int32Array.from(drawnBy("time")), shape: [2], dtype: "i32" } as const;
    const prediction = await evaluate(model.forward(literal(x), literal(time)));
    expect(worst(prediction.data, drawnBy("prediction"))).toBeLessThan(1e-5);
    expect(model.parameterCount()).toBe(11_767);
  });

  test("takes the samplers that diffusers has not, and ours; and images by their numbers", async () => {
    const pipeline = await DiffusionPipeline.fromPretrained(join(fixtures, "flat"));
    const [two, one] = [
      await pipeline.sample({ steps: 3, sampler: "ddim", generator: "threefry", seed: 4, batchSize: 2 }),
      await pipeline.sample({ steps: 3, sampler: "ddim", generator: "threefry", seed: 4, firstIndex: 1 }),
    ];
    expect(worst(one.data, two.data.slice(192))).toBeLessThan(1e-6);
    for (const sampler of [
      "dpmSolver++2MSde",
      "uniPC",
      "deis",
      "euler",
      "heun",
      "lms",
      "pndm",
      "dpmSolver++3M",
    ] as const) {
      expect(pipeline.plan({ sampler, steps: 10 }).visited).toBeGreaterThanOrEqual(10);
    }
    const way = { steps: 3, sampler: "dpmSolver++2M", timestepSpacing: "karras" } as const;
    const ours = await pipeline.sample({ ...way, generator: "threefry", seed: 4 });
    const same = await pipeline.diffusion.sample(pipeline.model, { ...way, seed: 4, batchSize: 1, imageSize: 8 });
    expect(same.data).toEqual(ours.data);
    await expect(pipeline.sample({ generator: "mt19937" as "torch" })).rejects.toThrow(
      /generator must be torch, threefry/,
    );
  });
});

describe("where a pipeline comes from", () => {
  test("the hub, and then its cache", async () => {
    const paths = ["model_index.json", "config.json", "scheduler_config.json", "diffusion_pytorch_model.safetensors"];
    const files = Object.fromEntries(
      await Promise.all(paths.map(async (path) => [path, await readFile(join(fixtures, "flat", path))] as const)),
    );
    const server = await HubServer.open({ "models/owner/tiny": { commit: "a".repeat(40), files } });
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    vi.stubEnv("HF_HOME", folder);
    const told: string[] = [];
    const pipeline = await DiffusionPipeline.fromPretrained("owner/tiny", {
      onProgress: ({ file }) => told.push(file),
    });
    expect(pipeline.imageSize).toEqual([8, 8]);
    expect([...new Set(told)].toSorted()).toEqual(paths.toSorted());
    server.close();
    const again = await DiffusionPipeline.fromPretrained("owner/tiny", { localFilesOnly: true });
    const options = { steps: 2, seed: 0 };
    expect((await again.sample(options)).data).toEqual((await pipeline.sample(options)).data);
    await expect(DiffusionPipeline.fromPretrained("a/b/c")).rejects.toThrow(
      "a/b/c: no such folder, and no name of the hub, owner/name",
    );
    vi.unstubAllEnvs();
  });

  test("a folder with what there is not here is one line that names file, field and value", async () => {
    const place = join(folder, "changed");
    const changed = async (file: string, change: Record<string, unknown>) => {
      await cp(join(fixtures, "ddpm"), place, { recursive: true });
      const content = JSON.parse(await readFile(join(place, file), "utf8")) as Record<string, unknown>;
      await writeFile(join(place, file), JSON.stringify({ ...content, ...change }));
      return DiffusionPipeline.fromPretrained(place).then(
        () => "read",
        (error: unknown) => (error as Error).message,
      );
    };
    expect(await changed("model_index.json", { _class_name: "StableDiffusionPipeline" })).toBe(
      `${place}: model_index.json: _class_name must be one of DDPMPipeline, DDIMPipeline, PNDMPipeline, got "StableDiffusionPipeline"`,
    );
    expect(await changed("model_index.json", { vae: ["diffusers", "AutoencoderKL"] })).toBe(
      `${place}: model_index.json: vae is not supported, got ["diffusers","AutoencoderKL"]`,
    );
    expect(await changed("model_index.json", { vae: [null, null], _class_name: "DDPM" })).toBe("read");
    expect(await changed("unet/config.json", { _class_name: "UNet2DConditionModel" })).toBe(
      `${place}: unet/config.json: _class_name must be UNet2DModel, got "UNet2DConditionModel"`,
    );
    expect(await changed("unet/config.json", { act_fn: "tanh" })).toMatch(
      /changed: unet\/config\.json: act_fn must be /,
    );
    expect(await changed("scheduler/scheduler_config.json", { beta_schedule: "steep" })).toMatch(
      /changed: scheduler\/scheduler_config\.json: beta_schedule must be one of .*, got "steep"$/,
    );
    await expect(DiffusionPipeline.fromPretrained(join(fixtures, "files"))).rejects.toThrow(
      /files: no pipeline of diffusers: no model_index\.json there$/,
    );
  });
});

describe("what is saved is what diffusers writes", () => {
  test.each(["ddpm", "ddim"])("of %s: files, configs, names and metadata, byte for byte weights", async (name) => {
    const pipeline = await DiffusionPipeline.fromPretrained(join(fixtures, name));
    const out = join(folder, `saved-${name}`);
    await pipeline.savePretrained(out, { card: false });
    const listed = async (place: string) => (await readdir(place, { recursive: true })).toSorted();
    expect(await listed(out)).toEqual(await listed(join(fixtures, name)));
    for (const path of ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json"]) {
      const [ours, theirs] = [
        await readFile(join(out, path), "utf8"),
        await readFile(join(fixtures, name, path), "utf8"),
      ];
      expect(JSON.parse(ours)).toEqual(JSON.parse(theirs));
      expect(keysOf(ours)).toEqual(keysOf(theirs));
    }
    const weights = "unet/diffusion_pytorch_model.safetensors";
    expect(await readFile(join(out, weights))).toEqual(await readFile(join(fixtures, name, weights)));
  });

  test("in place of shards and of another precision, and with a card", async () => {
    const out = join(folder, "over");
    await cp(join(fixtures, "files", "fp16-sharded"), join(out, "unet"), { recursive: true });
    const pipeline = await DiffusionPipeline.fromPretrained(join(fixtures, "ddpm"));
    const png = Uint8Array.of(1, 2, 3);
    const card = { title: "Shirts", trainedOn: "12 <images>", seed: 3, samples: { png, seed: 9 }, licence: "mit" };
    await pipeline.savePretrained(out, { card });
    expect((await readdir(join(out, "unet"))).toSorted()).toEqual([
      "config.json",
      "diffusion_pytorch_model.safetensors",
    ]);
    expect(new Uint8Array(await readFile(join(out, "samples.png")))).toEqual(png);
    const text = await readFile(join(out, "README.md"), "utf8");
    expect(text).toMatch(/^---\nlibrary_name: diffusers\npipeline_tag: unconditional-image-generation\n/);
    for (const part of [
      'license: "mit"',
      "# Shirts",
      "Trained on 12 \\<images\\>.",
      "Seed of the training: 3.",
      "Seed 9.",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("11,767 parameters; 1000 timesteps, of which it predicts `epsilon`.");
  });

  test("of a network that diffusers has not, nothing", async () => {
    const { Unet } = await import("../../models/unet/unet.ts");
    const { scheduler } = await DiffusionPipeline.fromPretrained(join(fixtures, "ddpm"));
    const pipeline = new DiffusionPipeline({ model: new Unet({ dim: 8, channels: 1 }), scheduler });
    await expect(pipeline.toFiles()).rejects.toThrow(/^U-Net: diffusers has no such network/);
  });
});

/** Keys of an object's text, in their order. */
function keysOf(json: string): string[] {
  return [...json.matchAll(/^ {2}"(\w+)":/gm)].map(([, key]) => key);
}
