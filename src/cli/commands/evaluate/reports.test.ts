import { mkdir, readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { idxImages } from "../../../../test/support/idx-images.ts";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

const workspace = new Workspace("reports");
const measure = "--features untrained --device reference";

/** Pictures of noise, in colour or gray, the same for the same seed. */
async function pictures(folder: string, count: number, size: readonly [number, number], seed: number, gray = false) {
  const sharp = await loadSharp();
  await mkdir(workspace.file(folder), { recursive: true });
  const [width, height] = size;
  let state = seed;
  const byte = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: width * height * 3 }, byte);
    const picture = sharp(data, { raw: { width, height, channels: 3 } });
    await (gray ? picture.grayscale() : picture).png().toFile(workspace.file(folder, `${i}.png`));
  }
}

const read = async (name: string) => readFile(workspace.file(name), "utf8");

describe("reports of unnoise evaluate", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await pictures("photos", 12, [8, 8], 1, true);
    await pictures("drawn", 12, [8, 8], 2, true);
    await pictures("colours", 12, [8, 8], 3);
    await pictures("large", 12, [16, 16], 4, true);
  }, 60_000);

  test("are not gone on with where other images bear the same name", async () => {
    const line = `evaluate --images drawn --data photos ${measure} --json rows.json`;
    expect((await workspace.unnoise(line)).stderr).toBe("");
    const first = await read("rows.json");
    const again = await workspace.unnoise(line);
    expect([again.stderr, await read("rows.json")]).toEqual(["", first]);
    await pictures("drawn", 12, [8, 8], 20, true);
    await expectOneLine(workspace, [line, 1, /rows.json: its rows are of samplesFingerprint \w+, now it is \w+/]);
    await pictures("drawn", 12, [8, 8], 2, true);
    await pictures("photos", 12, [8, 8], 10, true);
    await expectOneLine(workspace, [line, 1, /rows.json: its rows are of referenceFingerprint \w+, now it is \w+/]);
    await pictures("photos", 12, [8, 8], 1, true);
    expect(await read("rows.json")).toBe(first);
  });

  test("overwrite no file that is something else", async () => {
    await writeFile(workspace.file("notes.json"), '{"mine":true}\n');
    const images = `evaluate --images drawn --data photos ${measure} --json notes.json`;
    await expectOneLine(workspace, [images, 1, /^unnoise: notes.json: not a report that can be gone on with/]);
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --samples 1 --out tiny");
    const bound = "evaluate --nll 2 --checkpoint tiny --device reference";
    await expectOneLine(workspace, [`${bound} --json notes.json`, 1, /notes.json: not a report of evaluate --nll/]);
    expect(await read("notes.json")).toBe('{"mine":true}\n');
    expect((await workspace.unnoise(`${bound} --json bound.json`)).stderr).toBe("");
    expect((await workspace.unnoise(`${bound} --json bound.json`)).stderr).toBe("");
    await expectOneLine(workspace, [`${bound} --seed 7 --json bound.json`, 1, /bound.json: a report of seed 0, now/]);
  });

  test("can be read back where there is no spread", async () => {
    await mkdir(workspace.file("equal"));
    for (let i = 0; i < 12; i++) {
      await writeFile(workspace.file("equal", `${i}.png`), await readFile(workspace.file("photos", "0.png")));
    }
    for (const data of ["equal", "photos"]) {
      const line = `evaluate --images equal --data ${data} ${measure} --json ${data}.json`;
      expect((await workspace.unnoise(line)).stderr).toBe("");
      const again = await workspace.unnoise(line);
      expect([again.code, again.stderr]).toEqual([0, ""]);
    }
    const { rows } = JSON.parse(await read("equal.json")) as { rows: { novelty: unknown }[] };
    expect(rows[0].novelty).toEqual({ features: null, pixels: null });
  });

  test("compare like with like, as sample --init does", async () => {
    const compare = (images: string, data: string) => `evaluate --images ${images} --data ${data} ${measure}`;
    await expectOneLine(workspace, [
      compare("colours", "ramps-idx3-ubyte"),
      1,
      /those of colours have 8 x 8 pixels in colour, those of ramps-idx3-ubyte 8 x 8 in gray; --resize makes them alike/,
    ]);
    await expectOneLine(workspace, [
      compare("large", "ramps-idx3-ubyte"),
      1,
      /16 x 16 pixels in gray, .* 8 x 8 in gray/,
    ]);
    for (const images of ["colours", "large"]) {
      const { code, stderr } = await workspace.unnoise(compare(images, "ramps-idx3-ubyte"), "--resize");
      expect([code, stderr]).toEqual([0, ""]);
    }
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --samples 1 --out gray");
    await expectOneLine(workspace, [
      "sample --checkpoint gray --init colours/0.png --device reference",
      1,
      /colours\/0.png: has 8 x 8 pixels in colour, the model's images 8 x 8 in gray; --resize scales and cuts it/,
    ]);
    // What a directory leaves open is taken from the images that it is compared with.
    const { stdout, stderr } = await workspace.unnoise(compare("large", "colours"));
    expect([stderr, stdout]).toEqual(["", expect.stringContaining("compare 64 features of the untrained network")]);
  });

  test("are made of a run whose images are not square, and of another size", async () => {
    await pictures("wide", 12, [16, 8], 5);
    const model = "--dim 4 --dim-mults 1,2 --attention-heads 1 --batch-size 4 --timesteps 20 --sampling-timesteps 2";
    const trained = await workspace.unnoise(
      `train --data wide --image-size 16x8 ${model} --steps 1 --sample-every 0 --samples 1 --out wide-run --device reference`,
    );
    expect(trained.stderr).toBe("");
    const line = `evaluate --checkpoint wide-run -n 10 ${measure} --json`;
    for (const [flags, size] of [
      ["", "16 x 8"],
      ["--image-size 8x16", "8 x 16"],
    ]) {
      const { stdout, stderr } = await workspace.unnoise(line, flags);
      expect(stderr).toBe("");
      expect((JSON.parse(stdout) as { settings: { imageSize: string } }).settings.imageSize).toBe(size);
    }
  });

  test("of seeds 0 and 1 are of samples that are all different", async () => {
    await writeFile(workspace.file("more-idx3-ubyte"), idxImages(80, 8));
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --samples 1 --out repeats");
    const row = async (seed: number) => {
      const line = `evaluate --checkpoint repeats -n 70 --seed ${seed} --data more-idx3-ubyte --steps 1 ${measure} --json`;
      const { stdout, stderr } = await workspace.unnoise(line);
      expect(stderr).toBe("");
      return (JSON.parse(stdout) as { rows: { fid: number }[] }).rows[0].fid;
    };
    const [first, second] = [await row(0), await row(1)];
    expect(second).not.toBe(first);
    expect(Math.abs(second - first)).toBeLessThan(Math.max(first, second));
  });
});
