import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import { Module } from "../../nn/module/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { FolderSource } from "../source/folder.node.ts";
import { loadWeights } from "./load.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/pretrained", import.meta.url));
const whole = join(fixtures, "ddpm", "unet", "diffusion_pytorch_model.safetensors");

/** Parameters by their names in files, zeros at first. */
class Bag extends Module {
  readonly #variables: readonly [string, Variable][];

  constructor(shapes: readonly (readonly [string, readonly number[]])[]) {
    super();
    this.#variables = shapes.map(([name, shape]) => [name, new Variable(name, shape)]);
  }

  override parts(): [string, unknown][] {
    return [...this.#variables];
  }

  forward(): Tensor {
    throw new Error("internal: it holds parameters only");
  }
}

let expected: ReadonlyMap<string, Float32Array>;
let shapes: [string, readonly number[]][];
let folder: string;
const emptyBag = () => new Bag(shapes);

beforeAll(async () => {
  const { tensors } = await readSafetensors(whole);
  expected = new Map([...tensors].map(([name, tensor]) => [name, toFloat32(tensor)]));
  shapes = Array.from(tensors, ([name, { shape }]) => [name, shape]);
  folder = await mkdtemp(join(tmpdir(), "unnoise-weights-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function worstError(model: Module): Promise<number> {
  let worst = 0;
  for (const [name, variable] of model.parameters()) {
    const [own, values] = [await variable.read(), expected.get(name)];
    own.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - (values?.[i] ?? Infinity)))));
  }
  return worst;
}

describe("weights in every form that diffusers writes are read", () => {
  test.each([
    ["ddpm", "unet", undefined, 0, "unet/diffusion_pytorch_model.safetensors"],
    ["files/sharded", "", undefined, 0, "diffusion_pytorch_model.safetensors.index.json"],
    ["files/bin", "", undefined, 0, "diffusion_pytorch_model.bin"],
    ["files/legacy", "", undefined, 0, "diffusion_pytorch_model.safetensors"],
    ["files/fp16", "", "fp16", 2 ** -10, "diffusion_pytorch_model.fp16.safetensors"],
    ["files/fp16-sharded", "", "fp16", 2 ** -10, "diffusion_pytorch_model.safetensors.index.fp16.json"],
    ["files/bf16", "", undefined, 2 ** -7, "diffusion_pytorch_model.safetensors"],
  ])("%s %s, variant %s", async (place, subfolder, variant, error, file) => {
    const model = emptyBag();
    expect(await loadWeights(model, new FolderSource(join(fixtures, place)), subfolder, { variant })).toBe(file);
    const worst = await worstError(model);
    expect(worst).toBeLessThanOrEqual(error);
    expect(worst > 0).toBe(error > 0);
  });

  test("the index of a variant by the name that it had before", async () => {
    const old = join(folder, "old");
    await cp(join(fixtures, "files", "fp16-sharded"), old, { recursive: true });
    const index = (middle: string) => join(old, `diffusion_pytorch_model.safetensors.${middle}.json`);
    await cp(index("index.fp16"), index("fp16.index"));
    await rm(index("index.fp16"));
    const model = emptyBag();
    await loadWeights(model, new FolderSource(old), "", { variant: "fp16" });
    expect(await worstError(model)).toBeLessThan(2 ** -10);
  });
});

describe("what is not as it should be is one line", () => {
  const load = async (place: string, variant?: string, model: Module = emptyBag()) =>
    loadWeights(model, new FolderSource(place), "", { variant });

  test("no weights, and none of the variant", async () => {
    await expect(load(fixtures)).rejects.toThrow(
      `${fixtures}: no weights: neither diffusion_pytorch_model.safetensors nor diffusion_pytorch_model.bin is there`,
    );
    await expect(load(join(fixtures, "files/bin"), "fp16")).rejects.toThrow(/no weights of the variant fp16: neither/);
    await expect(load(fixtures, "../x")).rejects.toThrow('variant: must be a name such as fp16, got "../x"');
  });

  test("tensors of another network: missing, unexpected, of another shape or kind", async () => {
    const other = join(folder, "other");
    await cp(join(fixtures, "ddpm", "unet"), other, { recursive: true });
    const path = join(other, "diffusion_pytorch_model.safetensors");
    const { tensors } = await readSafetensors(path);
    const bias = tensors.get("conv_in.bias");
    if (!bias) throw new Error("internal: no conv_in.bias");
    tensors.delete("conv_in.bias");
    await writeSafetensors(path, new Map([...tensors, ["extra", bias]]));
    await expect(load(other)).rejects.toThrow(`${path}: missing conv_in.bias; unexpected extra`);
    await writeSafetensors(path, new Map([...tensors, ["conv_in.bias", { ...bias, shape: [2, 2] }]]));
    await expect(load(other)).rejects.toThrow(`${path}: tensor "conv_in.bias" must be [4], got [2,2]`);
    const numbers = { dtype: "I32", shape: [4], data: new Int32Array(4) } as const;
    await writeSafetensors(path, new Map([...tensors, ["conv_in.bias", numbers]]));
    await expect(load(other)).rejects.toThrow(/must be one of F32, F16, BF16, F64, got I32/);
  });

  test("an attention's projection under both of its names", async () => {
    const twice = join(folder, "twice");
    await cp(join(fixtures, "files", "legacy"), twice, { recursive: true });
    const path = join(twice, "diffusion_pytorch_model.safetensors");
    const { tensors } = await readSafetensors(path);
    const query = tensors.get("mid_block.attentions.0.query.bias");
    if (!query) throw new Error("internal: no query");
    await writeSafetensors(path, new Map([...tensors, ["mid_block.attentions.0.to_q.bias", query]]));
    await expect(load(twice)).rejects.toThrow(/twice mid_block\.attentions\.0\.(to_q|query)\.bias$/);
  });

  describe("an index", () => {
    const name = "diffusion_pytorch_model.safetensors.index.json";
    const first = "diffusion_pytorch_model-00001-of-00004.safetensors";
    const broken = async (change: (index: { metadata: unknown; weight_map: Record<string, unknown> }) => void) => {
      const place = await mkdtemp(join(folder, "index-"));
      await cp(join(fixtures, "files", "sharded"), place, { recursive: true });
      const index = JSON.parse(await readFile(join(place, name), "utf8")) as Parameters<typeof change>[0];
      change(index);
      await writeFile(join(place, name), JSON.stringify(index));
      return load(place);
    };

    test.each([
      [
        "leaves its folder",
        "../secret.safetensors",
        /weight_map "conv_in.bias" must name a \.safetensors file beside it/,
      ],
      ["names an absolute path", "/etc/passwd", /must name a \.safetensors file beside it, got "\/etc\/passwd"/],
      ["names another kind of file", "config.json", /must name a \.safetensors file beside it, got "config.json"/],
      ["names what is no name", 3, /weight_map\.conv_in\.bias Invalid input: expected string/],
      ["names a file that is not there", "0none.safetensors", /names 0none\.safetensors, which is not there/],
      [
        "names the wrong file",
        first.replace("1-of", "4-of"),
        /has tensor "conv_in.bias", which the index has elsewhere/,
      ],
    ])("that %s", async (_, file, message) => {
      await expect(broken((index) => (index.weight_map["conv_in.bias"] = file))).rejects.toThrow(message);
    });

    test("that forgets a tensor, names one too many, or has another sum of bytes", async () => {
      const forget = broken((index) => delete index.weight_map["conv_in.bias"]);
      await expect(forget).rejects.toThrow(/missing conv_in\.bias/);
      await expect(broken((index) => (index.weight_map.extra = first))).rejects.toThrow(/unexpected extra/);
      await expect(broken((index) => (index.metadata = { total_size: 3 }))).rejects.toThrow(
        /metadata\.total_size is 3, the tensors of its files have \d+ bytes/,
      );
      await expect(broken((index) => (index.metadata = { total_size: -1 }))).rejects.toThrow(
        /must be a number of bytes/,
      );
    });
  });
});
