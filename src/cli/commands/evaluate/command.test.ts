import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runUnnoise } from "../../../../test/support/command.ts";
import type { Outcome } from "../../../../test/support/command.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

interface Row {
  readonly sampler: string;
  readonly steps: number;
  readonly evaluations: number;
  readonly secondsFor64: number;
  readonly fid: number;
}
interface Report {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rows: readonly Row[];
}

interface LikelihoodReport {
  readonly bitsPerDim: number;
  readonly standardError: number;
  readonly prior: number;
  readonly terms: readonly number[];
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-evaluate-"));
  await mkdir(join(folder, "stripes"));
  await writeFile(join(folder, "stripes", "train-images-idx3-ubyte"), idx(stripes, 60, 12, 12));
  await writeFile(
    join(folder, "stripes", "train-labels-idx1-ubyte"),
    idx((i) => i % 3, 60),
  );
  await writeFile(join(folder, "small-idx3-ubyte"), idx(stripes, 20, 6, 6));
});
afterAll(() => rm(folder, { recursive: true }));

/** An IDX file of bytes. */
function idx(valueAt: (i: number) => number, ...axes: number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * axes.length);
  [0x800 + axes.length, ...axes].forEach((word, i) => header.writeUInt32BE(word, 4 * i));
  const size = axes.reduce((product, n) => product * n, 1);
  return Buffer.concat([header, Uint8Array.from({ length: size }, (_, i) => valueAt(i))]);
}

/** Three kinds of images: stripes across, stripes down, and both. */
function stripes(i: number): number {
  const [image, row, column] = [Math.floor(i / 144), Math.floor(i / 12) % 12, i % 12];
  const phase = Math.floor(image / 3);
  const across = (row + phase) % 5 < 2 ? 100 + image : 0;
  const down = (column + phase) % 4 < 2 ? 90 + image : 0;
  return [across, down, across ^ down][image % 3];
}

const unnoise = (line: string): Promise<Outcome> => runUnnoise(folder, ...line.split(" "));

const reportIn = async (name: string): Promise<Report> =>
  JSON.parse(await readFile(join(folder, name), "utf8")) as Report;

const sweep = "evaluate --features toy.safetensors -n 12 --sampler ddim,heun --steps 2,3 --json rows.json";

describe("unnoise evaluate", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const model = "--dim 4 --dim-mults 1,2 --attention-heads 1 --timesteps 20 --sampling-timesteps 3";
    const trained = await unnoise(
      `train --data stripes ${model} --num-classes 0 --batch-size 4 --steps 2 --samples 4 --sample-every 0`,
    );
    expect(trained.stderr).toBe("");
    const classifier = await unnoise(
      "train-classifier --data stripes --epochs 3 --batch-size 10 --out toy.safetensors",
    );
    expect(classifier.stdout).toContain("trained 18 steps");
    expect(classifier.stdout).toMatch(/names \d+\.\d\d % of stripes correctly\nwrote toy\.safetensors\n$/);
  }, 60_000);

  test("gives one row for every sampler and number of steps, in a table and in a file", async () => {
    const { stdout, stderr, code } = await unnoise(sweep);
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain("data    stripes: 60 images");
    const table = stdout.trim().split("\n").slice(-5);
    expect(table[0]).toMatch(/^sampler +steps +evaluations +s for 64 +fid +kid +precision +recall/);
    const { rows, settings } = await reportIn("rows.json");
    expect(rows.map(({ sampler, steps, evaluations }) => [sampler, steps, evaluations])).toEqual([
      ["ddim", 2, 2],
      ["ddim", 3, 3],
      ["heun", 2, 3],
      ["heun", 3, 5],
    ]);
    rows.forEach(({ sampler, fid, secondsFor64 }, i) => {
      expect(table[i + 1]).toContain(sampler);
      expect(table[i + 1]).toContain(fid.toFixed(3));
      expect(secondsFor64).toBeGreaterThan(0);
    });
    expect(settings).toMatchObject({ reference: "stripes", referenceImages: 60, number: 12, seed: 0 });
  });

  test("keeps the features of the dataset, and goes on with a report that is there", async () => {
    const cached = await readdir(join(folder, "cache", "features"));
    expect(cached).toHaveLength(1);
    const whole = await reportIn("rows.json");
    await writeFile(join(folder, "rows.json"), JSON.stringify({ ...whole, rows: whole.rows.slice(0, 3) }));
    const { stdout, code } = await unnoise(sweep);
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(9);
    const again = await reportIn("rows.json");
    expect(again.rows.slice(0, 3)).toEqual(whole.rows.slice(0, 3));
    expect(again.rows[3]).toEqual({ ...whole.rows[3], secondsFor64: again.rows[3].secondsFor64 });
    expect(await readdir(join(folder, "cache", "features"))).toEqual(cached);
    const other = await unnoise(`${sweep} --seed 1`);
    expect(other.stderr).toBe("unnoise: rows.json: its rows are of seed 0, now it is 1: name another file\n");
    // Whether auto took the processor or one asked for it makes no difference.
    expect(whole.settings.device).toMatch(/^WebAssembly, \d+ threads?, \d+-bit SIMD$/);
    expect((await unnoise(`${sweep} --device wasm`)).code).toBe(0);
  });

  test("counts as steps the levels that a sampler visits, where none are given too", async () => {
    const { stdout } = await unnoise("evaluate --features toy.safetensors -n 12 --sampler heun --json");
    expect((JSON.parse(stdout) as Report).rows).toMatchObject([{ sampler: "heun", steps: 3, evaluations: 5 }]);
  });

  test("computes features anew where the cached ones are damaged", async () => {
    const [name] = await readdir(join(folder, "cache", "features"));
    const path = join(folder, "cache", "features", name);
    const good = await readFile(path);
    await writeFile(path, good.subarray(0, good.length - 9));
    expect((await unnoise("evaluate --features toy.safetensors -n 12 --steps 2")).code).toBe(0);
    expect(await readFile(path)).toEqual(good);
  });

  test("says the same of images in a directory as of samples, and shows their neighbours", async () => {
    await unnoise("sample -n 12 --seed 0 --sampler ddim --steps 2 --no-grid --out drawn --scale 1");
    const line = "evaluate --images drawn --data stripes --features toy.safetensors --out near.png --json";
    const { stdout, stderr } = await unnoise(line);
    expect(stderr).toBe("");
    const [row] = (JSON.parse(stdout) as Report).rows;
    const [drawn] = (await reportIn("rows.json")).rows;
    expect(row).toEqual({ ...drawn, sampler: null, steps: null, evaluations: null, secondsFor64: null });
    const { width, height } = await (await loadSharp())(join(folder, "near.png")).metadata();
    // Ten columns and three rows of 12 pixels, with 2 pixels between and around them.
    expect(width / height).toBe((10 * 14 + 2) / (3 * 14 + 2));
  });

  test("takes images from an IDX file, gzipped or not", async () => {
    await writeFile(join(folder, "again-idx3-ubyte"), idx(stripes, 20, 12, 12));
    await writeFile(join(folder, "again.gz"), gzipSync(await readFile(join(folder, "again-idx3-ubyte"))));
    const line = "evaluate --data stripes --features toy.safetensors --json --images";
    const [plain, packed] = await Promise.all(
      ["again-idx3-ubyte", "again.gz"].map((name) => unnoise(`${line} ${name}`)),
    );
    const report = JSON.parse(plain.stdout) as Report;
    // They are the first twenty of the dataset.
    expect(report.rows[0]).toMatchObject({ images: 20, novelty: { pixels: 0 } });
    expect(report.settings).toMatchObject({ samples: "again-idx3-ubyte", number: 20 });
    expect((JSON.parse(packed.stdout) as Report).rows).toEqual(report.rows);
  });

  test("measures the bound on the likelihood of images", async () => {
    const { stdout, stderr } = await unnoise("evaluate --nll 5 --seed 3 --json nll.json");
    expect(stderr).toBe("");
    expect(stdout).toContain("data    stripes: 5 images of 60");
    const report = JSON.parse(await readFile(join(folder, "nll.json"), "utf8")) as LikelihoodReport;
    expect(report.terms).toHaveLength(20);
    const sum = report.terms.reduce((a, b) => a + b, report.prior);
    expect(report.bitsPerDim).toBeCloseTo(sum, 6);
    expect(stdout).toContain(`${sum.toFixed(3)} ± ${report.standardError.toFixed(3)} bits per dimension`);
    expect(JSON.parse((await unnoise("evaluate --nll 5 --seed 3 --json")).stdout)).toEqual(report);
  });

  test("loads the model and reads the data as sample and train do", async () => {
    const rows = async (flags: string) => {
      const { stdout, stderr } = await unnoise(`evaluate --features toy.safetensors -n 12 --steps 2${flags} --json`);
      expect(stderr).toBe("");
      return (JSON.parse(stdout) as Report).rows;
    };
    const [single, half] = [await rows(""), await rows(" --weights bf16")];
    expect(half[0].fid).not.toBe(single[0].fid);
    expect(half[0].fid / single[0].fid).toBeCloseTo(1, 1);
    await mkdir(join(folder, "damaged"));
    const sharp = await loadSharp();
    for (let i = 0; i < 12; i++) {
      const raw = Uint8Array.from({ length: 144 }, (_, at) => stripes(144 * i + at));
      const picture = sharp(raw, { raw: { width: 12, height: 12, channels: 1 } }).toColourspace("b-w");
      await picture.png().toFile(join(folder, "damaged", `${i}.png`));
    }
    await writeFile(join(folder, "damaged", "broken.png"), "no picture");
    const line = "evaluate --features toy.safetensors -n 12 --steps 2 --data damaged";
    expect((await unnoise(line)).stderr).toMatch(/broken\.png.*; --skip-broken leaves them out\n$/);
    const { stdout, stderr } = await unnoise(`${line} --skip-broken`);
    expect(stderr).toBe("");
    expect(stdout).toContain("data    damaged: 12 images");
  });

  const wrong: [string, RegExp][] = [
    ["evaluate --nll --steps 2", /--nll draws no samples: leave the flags for them away/],
    ["evaluate --nll --order 2", /--nll draws no samples: leave the flags for them away/],
    ["evaluate --steps 2,3 --out x.png", /--out shows the samples of one sampler and number of steps, got 2 pairs/],
    ["evaluate --images drawn --steps 2", /--images evaluates pictures that are there: leave --checkpoint, --sampler/],
    ["evaluate --images drawn", /--images needs a dataset to compare with: name one with --data/],
    ["evaluate --images nothing --data stripes", /--images must be a directory of images or an IDX file that exists/],
    [
      "evaluate --images small-idx3-ubyte --data stripes",
      /small-idx3-ubyte are \[6, 6, 1\], those of stripes \[12, 12/,
    ],
    ["evaluate --sampler ddim,dimm", /It must be made of ddpm, .*got "dimm"/],
    [
      "evaluate --features toy.safetensors --sampler ddim --steps 2,21",
      /ddim: steps must be a whole number from 1 to 20, got 21/,
    ],
    ["evaluate", /are for images \[28, 28, 1\], got \[12, 12, 1\]: name others with --features/],
    ["evaluate --features rows.json", /rows\.json: not a safetensors file/],
    [
      "evaluate --features runs/fashion-mnist/checkpoints/step-2.safetensors",
      /step-2\.safetensors: neither a classifier of train-classifier nor an Inception-v3/,
    ],
    ["evaluate -n 5", /'-n, --number <n>' argument '5' is invalid. It must be a whole number from 10 /],
    ["train-classifier --data drawn", /drawn: a classifier needs labels, and this dataset has none/],
  ];
  test.each(wrong)("refuses %s in one line", async (line, message) => {
    const { stderr, code } = await unnoise(line);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
