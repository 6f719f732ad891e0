import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadSharp } from "../src/io/images/images.node.ts";
import { runNode, runUnnoise } from "./support/command.ts";
import { idxImages } from "./support/idx-images.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Code without the comment lines at its beginning. */
const bodyOf = (source: string): string => source.replace(/^(?:\/\/.*\n)+/, "").trim();

async function blocksOf(page: string): Promise<string[]> {
  const text = await readFile(join(root, page), "utf8").catch(() => "");
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code.trim());
}

async function examples(): Promise<Map<string, string>> {
  const names = (await readdir(join(root, "examples"))).filter((name) => name.endsWith(".ts"));
  const read = async (name: string) => [name, bodyOf(await readFile(join(root, "examples", name), "utf8"))] as const;
  return new Map(await Promise.all(names.map(read)));
}

/** Replaces each text by another; one that is not there is an error, as the code is then not as small as it should be. */
function replaced(code: string, replacements: Readonly<Record<string, string>>): string {
  return Object.entries(replacements).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${JSON.stringify(from)} any more`);
    return text.replace(from, to);
  }, code);
}

describe("the README", () => {
  test("shows in its first ts block the body of examples/train-fashion-mnist.ts", async () => {
    const [first] = await blocksOf("README.md");
    expect(first, "README.md has no ```ts block").toBeDefined();
    expect(first).toBe((await examples()).get("train-fashion-mnist.ts"));
  });
});

describe("the documentation", async () => {
  const pages = (await readdir(join(root, "docs")))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);

  test.each(["README.md", ...pages])(
    "%s shows no program that is not also in examples/, where it is checked",
    async (page) => {
      const bodies = [...(await examples()).values()];
      const programs = (await blocksOf(page)).filter((block) => block.startsWith("import "));
      const others = programs.filter((block) => !bodies.some((body) => body.startsWith(block)));
      expect(others, "not the beginning of an example").toEqual([]);
    },
  );
});

describe("an example, run in small", { timeout: 60_000 }, () => {
  let project: string;
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "unnoise-readme-"));
    await mkdir(join(project, "node_modules"));
    await symlink(root, join(project, "node_modules", "unnoise"), "junction");
    await symlink(join(root, "node_modules", "zod"), join(project, "node_modules", "zod"), "junction");
    await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(project, "train-images-idx3-ubyte"), idxImages(9, 28));
    await writeFile(
      join(project, "train-labels-idx1-ubyte"),
      Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 9, ...Array.from({ length: 9 }, (_, i) => i % 3)),
    );
  });
  afterAll(() => rm(project, { recursive: true }));

  async function run(
    name: string,
    replacements: Readonly<Record<string, string>>,
    ...args: readonly string[]
  ): Promise<string> {
    const code = replaced((await examples()).get(name) ?? "", replacements);
    await writeFile(join(project, name), code);
    const { stdout, stderr } = await runNode(project, "--conditions", "unnoise-source", name, ...args);
    expect(stderr).toBe("");
    return stdout;
  }

  test("train-fashion-mnist.ts prints every step's loss and draws its garments", async () => {
    const stdout = await run("train-fashion-mnist.ts", {
      "dim: 28": "dim: 4",
      "dimMults: [1, 2, 4]": "dimMults: [1, 2], attentionHeads: 1",
      "linearBetaSchedule(300)": "linearBetaSchedule(5)",
      "fashionMnist()": "fashionMnist({ directory: '.' })",
      "batchSize: 128": "batchSize: 4",
      "epochs: 6": "epochs: 2",
      "batchSize: 64": "batchSize: 10",
    });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    expect(lines.map(([step]) => step)).toEqual([1, 2, 3, 4]);
    for (const [, loss] of lines) expect(loss).toBeGreaterThan(0.1);
    const { width, height } = await (await loadSharp())(join(project, "garments.png")).metadata();
    // Eight and two images of 28 pixels, and 2 pixels around each.
    expect([width, height]).toEqual([8 * 30 + 2, 2 * 30 + 2]);
  });

  test("pretrained.ts draws with a folder of diffusers and saves it again", async () => {
    const folder = join(root, "test", "fixtures", "pretrained", "ddpm");
    expect(await run("pretrained.ts", { "batchSize: 16": "batchSize: 2", "steps: 20": "steps: 2" }, folder)).toBe(
      "DDPMPipeline: 11,767 parameters\n",
    );
    expect(await readdir(join(project, "saved"))).toContain("model_index.json");
    const { width } = await (await loadSharp())(join(project, "images.png")).metadata();
    expect(width).toBeGreaterThan(16);
  });

  test("edit-images.ts keeps the known half, and draws rows of eight", async () => {
    const model = "--dim 4 --dim-mults 1,2 --attention-heads 1 --timesteps 20 --sampling-timesteps 8";
    const length = "--steps 1 --batch-size 4 --samples 1 --sample-every 0 --out run --device reference";
    const train = `train --data train-images-idx3-ubyte ${model} ${length}`;
    expect((await runUnnoise(project, ...train.split(" "))).stderr).toBe("");
    const sharp = await loadSharp();
    for (const [name, factor] of [
      ["a.png", 3],
      ["b.png", 5],
    ] as const) {
      const pixels = Uint8Array.from({ length: 28 * 28 }, (_, i) => i * factor);
      await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
        .png()
        .toFile(join(project, name));
    }
    expect(await run("edit-images.ts", {}, "run", "a.png", "b.png")).toBe("variations.png, painted.png, between.png\n");
    for (const name of ["variations.png", "painted.png", "between.png"]) {
      const { width, height } = await sharp(join(project, name)).metadata();
      expect([width, height]).toEqual([8 * 30 + 2, 30 + 2]);
    }
    const rightHalf = (file: string, left: number, top: number) => {
      return sharp(join(project, file))
        .extractChannel(0)
        .extract({ left, top, width: 14, height: 28 })
        .raw()
        .toBuffer();
    };
    const known = await rightHalf("a.png", 14, 0);
    // The third of the row.
    expect(await rightHalf("painted.png", 2 + 2 * 30 + 14, 2)).toEqual(known);
    expect(await rightHalf("variations.png", 2 + 2 * 30 + 14, 2)).not.toEqual(known);
  });

  test("compile-ahead.ts compiles what a page runs, for four kinds of page", async () => {
    const model = "--dim 4 --dim-mults 1 --attention-heads 1 --timesteps 20 --sampling-timesteps 4";
    const length = "--steps 1 --batch-size 4 --samples 1 --sample-every 0 --out ahead --device reference";
    expect((await runUnnoise(project, ...`train --data . ${model} ${length}`.split(" "))).stderr).toBe("");
    // The noise to start from and the step, and the index.
    expect(await run("compile-ahead.ts", { "runs/fashion-mnist": "ahead", "imageSize: 28": "imageSize: 8" })).toBe(
      "dist/programs: 9 files\n",
    );
    const files = await readdir(join(project, "dist", "programs"));
    expect(files).toHaveLength(9);
  });

  test("import-weights.ts makes a checkpoint of PyTorch's weights", async () => {
    const weights = fileURLToPath(new URL("fixtures/pytorch/article.pt", import.meta.url));
    expect(await run("import-weights.ts", {}, weights)).toBe("unet.safetensors: 169 tensors\n");
    const { stderr } = await runUnnoise(
      project,
      ..."sample --checkpoint unet.safetensors --device reference -n 1 --steps 1".split(" "),
    );
    expect(stderr).toBe("");
  });

  test("own-network.ts trains a network of one's own, and reads it from its checkpoint", async () => {
    const stdout = await run("own-network.ts", {
      "width: 32": "width: 4",
      "fashionMnist()": "fashionMnist({ directory: '.' })",
      "batchSize: 32": "batchSize: 4",
      "steps: 500": "steps: 2",
      "step % 100": "step % 2",
    });
    expect(stdout).toMatch(/^2 \d\.\d+\nplain of 357 parameters, read from its checkpoint\n$/);
  });

  test("load-adm.ts draws with a checkpoint of guided-diffusion", async () => {
    const weights = fileURLToPath(new URL("fixtures/networks/adm.pt", import.meta.url));
    const small = {
      "numChannels: 192": "numChannels: 4, channelMult: [1, 2], normGroups: 2, numHeadChannels: 4",
      "numResBlocks: 3": "numResBlocks: 1",
      "numClasses: 1000": "numClasses: 8",
      "[1, 88, 130, 207, 281, 323, 387, 979]": "[0, 1, 2, 3, 4, 5, 6, 7]",
      "imageSize: 64, steps: 250": "imageSize: 8, steps: 2",
    };
    expect(await run("load-adm.ts", small, weights)).toBe("adm.png\n");
    const { width, height } = await (await loadSharp())(join(project, "adm.png")).metadata();
    expect([width, height]).toEqual([8 * 10 + 2, 10 + 2]);
  });

  test("guide-classes.ts draws each class, with and without guidance", async () => {
    const model = "--dim 4 --dim-mults 1,2 --attention-heads 1 --num-classes 3 --timesteps 20 --sampling-timesteps 4";
    const length = "--steps 1 --batch-size 4 --samples 1 --sample-every 0 --out classes --device reference";
    const train = `train --data . ${model} ${length}`;
    expect((await runUnnoise(project, ...train.split(" "))).stderr).toBe("");
    expect(await run("guide-classes.ts", {}, "classes")).toBe("guidance-1.png, guidance-3.png: 0, 1, 2\n");
    const sharp = await loadSharp();
    const [plain, guided] = await Promise.all(
      ["guidance-1.png", "guidance-3.png"].map((name) =>
        sharp(join(project, name)).raw().toBuffer({ resolveWithObject: true }),
      ),
    );
    // Three images of 28 pixels in a row, 2 pixels around each, enlarged twice.
    for (const { info } of [plain, guided]) expect([info.width, info.height]).toEqual([2 * 92, 2 * 32]);
    expect(guided.data).not.toEqual(plain.data);
  });

  test("train-on-texts.ts draws an image for each text, and goes on from its run for others", async () => {
    const small = {
      "dim: 16": "dim: 4",
      "dimMults: [1, 2, 4], attentionHeads: 2": "dimMults: [1, 2], attentionHeads: 1",
      "timesteps: 1000, samplingTimesteps: 40": "timesteps: 10, samplingTimesteps: 3",
      "fashionMnist()": "fashionMnist({ directory: '.' })",
      "batchSize: 32": "batchSize: 4",
      "steps: 8000": "steps: 2",
      "step % 100": "step % 2",
    };
    const stdout = await run("train-on-texts.ts", small, "shirt", "ankle boot");
    expect(stdout).toMatch(/^2 \d\.\d+\ntexts\.png: shirt, ankle boot\n$/);
    const sharp = await loadSharp();
    const pixels = () => sharp(join(project, "texts.png")).raw().toBuffer({ resolveWithObject: true });
    const first = await pixels();
    // Two images of 28 pixels in a row, and 2 pixels around each.
    expect([first.info.width, first.info.height]).toEqual([2 * 30 + 2, 30 + 2]);
    expect(await run("train-on-texts.ts", small, "shirt", "bag")).toBe("texts.png: shirt, bag\n");
    const second = await pixels();
    const half = ({ data, info }: typeof first, left: number) =>
      data.filter((_, i) => Math.floor(i / info.channels) % info.width < 31 === (left === 0));
    expect(half(second, 0)).toEqual(half(first, 0));
    expect(half(second, 1)).not.toEqual(half(first, 1));
  });

  test("train-elucidated.ts prints every step's loss and draws its garments", async () => {
    const stdout = await run("train-elucidated.ts", {
      "dim: 16": "dim: 4",
      "dimMults: [1, 2, 4], attentionHeads: 2": "dimMults: [1, 2], attentionHeads: 1",
      "fashionMnist()": "fashionMnist({ directory: '.' })",
      "batchSize: 32": "batchSize: 4",
      "steps: 1000": "steps: 2",
      "batchSize: 16": "batchSize: 3, steps: 2",
    });
    expect(stdout).toMatch(/^1 \d+\.\d+\n2 \d+\.\d+\n$/);
    const { width, height } = await (await loadSharp())(join(project, "garments.png")).metadata();
    expect([width, height]).toEqual([3 * 30 + 2, 30 + 2]);
  });

  test("fit-a-plane.ts finds the least squares of smallest norm", async () => {
    const [loss, w] = (await run("fit-a-plane.ts", {})).trim().split("\n");
    // (1^2 + 2^2) / 2 with weights of zero.
    expect(loss).toBe("loss 2.5");
    const found = w.split(" ").slice(1).map(Number);
    // Row vectors (1, 2, 3) and (4, 5, 6) times (13, -4) / 54, which solves the normal equations.
    for (const [i, expected] of [-3 / 54, 6 / 54, 15 / 54].entries()) expect(found[i]).toBeCloseTo(expected, 4);
  });
});
