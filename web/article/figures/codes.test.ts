import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ReferenceBackend, concatenateArrays, fromBytes, layoutGrid, loadImage, ndarray, toBytes } from "unnoise";
import type { NdArray } from "unnoise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeProject } from "../../../scripts/tutorial.ts";
import type { Drawer } from "./common/drawer.ts";
import { garmentOf } from "./common/garments.ts";
import { firstGarments, nodeDrawer } from "./common/test-data.ts";
import { denoisingCode } from "./denoising/code.ts";
import { denoise } from "./denoising/model.ts";
import { betweenCode, paintCode, strengthCode } from "./editing/code.ts";
import { paint, vary, walkBetween } from "./editing/model.ts";
import { guessCode } from "./guess/code.ts";
import { Guesser } from "./guess/model.ts";
import { guidanceCode } from "./guidance/code.ts";
import { guided } from "./guidance/model.ts";
import { mapCode } from "./map/code.ts";
import { noiseCode } from "./noise/code.ts";
import { Noising } from "./noise/model.ts";
import { perfectCode } from "./perfect/code.ts";
import { pointsCode } from "./points/code.ts";
import { PointLearner } from "./points/model.ts";
import { pointsOf } from "./points/shapes.ts";
import { samplersCode } from "./samplers/code.ts";
import { drawWay, ways } from "./samplers/model.ts";
import { schedulesCode } from "./schedules/code.ts";
import { sharesOf } from "./schedules/model.ts";
import { trainingCode } from "./training/code.ts";
import { walksCode } from "./walks/code.ts";
import { Walk, meanAndDeviation } from "./walks/model.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const SEED = 2;
const noise = { schedule: "cosine", timesteps: 300, t: 120, seed: SEED } as const;
const denoising = { seed: SEED, steps: 3, eta: 1, batchSize: 2 };
const guidance = { seed: SEED, scale: 3, garment: -1, rescale: 0.7, batchSize: 2 };
const sampling = { seed: SEED, steps: 3, batchSize: 2 };
const strength = { seed: SEED, strength: 0.2, batchSize: 2 };
const painting = { seed: SEED, batchSize: 1 };
const walks = { timesteps: 1000, walks: 500, seed: SEED };
const mask = Uint8Array.from({ length: 784 }, (_, i) => (i % 28 < 20 ? 0 : 1));
const own = { bytes: Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (37 * i) % 256), shape: [1, 5, 4, 3] } as const;
const points = Float32Array.from(pointsOf("moons", 40, 1).data, (value) => Number(value.toFixed(3)));

/** What "Copy as code" copies, by the names of the programs. */
const codes = {
  noise: noiseCode({ garment: 3 }, noise),
  own: noiseCode(own, noise),
  walks: walksCode(3, 300, 20, walks),
  guess: guessCode({ garment: 3 }, 400, SEED),
  perfect: perfectCode(3, 600, SEED),
  denoising: denoisingCode(denoising),
  guidance: guidanceCode(guidance),
  samplers: samplersCode(sampling),
  strength: strengthCode({ garment: 3 }, strength),
  painted: paintCode({ garment: 3 }, mask, painting),
  between: betweenCode(3, 5),
  schedules: schedulesCode(300, 100),
  points: pointsCode(points, SEED, 100),
  map: mapCode(),
  training: trainingCode(9, SEED, 2),
} as const;
type Name = keyof typeof codes;

/** Of gray levels: pictures are rounded on both sides, after arithmetic on the same kind of backend. */
const LEVELS = 1;

describe("what Copy as code copies", { timeout: 240_000 }, () => {
  let project: string;
  let drawer: Drawer;
  let garments: Uint8Array;
  const printed = new Map<string, string>();

  beforeAll(async () => {
    [project, drawer, garments] = await Promise.all([makeProject(), nodeDrawer(), firstGarments()]);
    for (const [name, code] of Object.entries(codes)) await writeFile(join(project, `${name}.ts`), code);
    // One process, so that what they share is loaded once.
    const all = Object.keys(codes).map((name) => `console.log("== ${name}");\nawait import("./${name}.ts");\n`);
    await writeFile(join(project, "all.ts"), all.join(""));
    const args = ["--conditions", "unnoise-source", "--disable-warning=ExperimentalWarning", "all.ts"];
    const env = { ...process.env, UNNOISE_THREADS: "1" };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: project, env });
    for (const [, name, text] of stdout.matchAll(/^== (\w+)\n([^]*?)(?=^== |$(?![^]))/gm)) printed.set(name, text);
  }, 200_000);
  afterAll(async () => {
    await drawer.backend.close();
    await rm(project, { recursive: true });
  });

  const numbersOf = (name: Name): number[] =>
    (printed.get(name)?.match(/-?\d+(?:\.\d+)?(?:e-\d+)?/g) ?? []).map(Number);

  /** The program's picture is that of these images, in this many columns and of this scale. */
  async function expectDrawn(file: string, images: NdArray, columns?: number): Promise<void> {
    const channels = images.shape[3] === 3 ? 3 : 1;
    const grid = layoutGrid(
      { data: toBytes(Float32Array.from(images.data)), shape: images.shape },
      columns === undefined ? {} : { columns },
    );
    const drawn = await loadImage(join(project, file), { channels });
    const [, , width] = drawn.shape;
    const bytes = toBytes(Float32Array.from(drawn.data));
    const scale = width / grid.width;
    expect(Number.isInteger(scale)).toBe(true);
    const levels = Array.from(grid.data, (level, i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const [x, y] = [pixel % grid.width, Math.floor(pixel / grid.width)];
      return Math.abs(level - bytes[(scale * y * width + scale * x) * channels + channel]);
    });
    expect(Math.max(...levels)).toBeLessThanOrEqual(LEVELS);
    expect(new Set(grid.data).size).toBeGreaterThan(5);
  }

  test("is code that the type checker accepts", async () => {
    const options = { noUnusedLocals: false, typeRoots: [join(root, "node_modules", "@types")] };
    const config = { extends: join(root, "tsconfig.json"), compilerOptions: options, include: ["*.ts"] };
    await writeFile(join(project, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const checked = promisify(execFile)(process.execPath, [tsc, "-p", project]);
    expect(await checked.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({ stdout: "" });
  });

  test("mixes the noise that the figure mixes, also with a reader's own picture", async () => {
    const noising = new Noising(new ReferenceBackend());
    await expectDrawn("noise.png", await noising.at(ndarray(fromBytes(own.bytes), own.shape), noise));
  });

  test("prints what the walks of the figure come to", async () => {
    const walk = new Walk(new ReferenceBackend(), garmentOf(garments, 3), 300, walks);
    await walk.advance(20);
    const values = [walk.walked(), await walk.jumped()].map(({ pixel }) => meanAndDeviation(pixel));
    const expected = values.flatMap(({ mean, deviation }) => [mean, deviation]);
    expect(numbersOf("walks")).toHaveLength(4);
    for (const [i, value] of numbersOf("walks").entries()) expect(value).toBeCloseTo(expected[i], 5);
  });

  test("prints the schedules of the figure", () => {
    expect(numbersOf("schedules")[4]).toBeCloseTo(sharesOf("cosine", 300).picture[100], 12);
    expect(numbersOf("schedules")).toHaveLength(6);
  });

  test("guesses what the figure guesses", async () => {
    const guesser = new Guesser(drawer.backend, drawer.diffusion, drawer.model);
    const { noisy, clean, noise: answer } = await guesser.at(garmentOf(garments, 3), 400, SEED);
    await expectDrawn("guess.png", concatenateArrays([noisy, clean, answer]));
  });

  test("draws what the figures draw", async () => {
    await expectDrawn("denoising.png", (await denoise(drawer, denoising)).at(-1)?.images ?? garmentOf(garments, 0));
    await expectDrawn("guidance.png", await guided(drawer, guidance));
    const rows = [];
    for (const way of ways) rows.push(await drawWay(drawer, way, sampling));
    await expectDrawn("samplers.png", concatenateArrays(rows), 2);
  });

  test("edits as the figures do", async () => {
    const picture = garmentOf(garments, 3);
    await expectDrawn("strength.png", await vary(drawer, picture, strength));
    const painted = await paint(drawer, picture, ndarray(Float32Array.from(mask), [1, 28, 28, 1]), painting);
    await expectDrawn("painted.png", painted);
    for (const [i, value] of picture.data.entries()) if (mask[i] === 0) expect(painted.data[i]).toBe(value);
    const between = await walkBetween(drawer, picture, garmentOf(garments, 5));
    await expectDrawn("between.png", between, between.shape[0]);
  });

  test("learns the points that the figure learns", async () => {
    const learner = new PointLearner(drawer.backend, ndarray(points, [40, 2]), SEED);
    await learner.train(100);
    const [x, y] = await learner.sample();
    const [step, loss, printedX, printedY] = numbersOf("points");
    expect(step).toBe(100);
    expect(loss).toBeCloseTo(learner.losses[99], 4);
    expect(printedX).toBeCloseTo(x, 4);
    expect(printedY).toBeCloseTo(y, 4);
  });

  test("prints the layers of the map, and trains the network of the figure", async () => {
    expect(printed.get("map")).toContain("2,020,257");
    expect(numbersOf("training")).toHaveLength(4);
    await readFile(join(project, "small-garments.png"));
  });
});
