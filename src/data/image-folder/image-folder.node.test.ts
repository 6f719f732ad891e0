import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { encodePng } from "../../io/images/images.node.ts";
import { BrokenImages, imageFolder } from "./image-folder.node.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/images", import.meta.url));
let folder = "";
let cache = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "unnoise-"));
  cache = mkdtempSync(join(tmpdir(), "unnoise-cache-"));
  vi.stubEnv("UNNOISE_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const path of [folder, cache]) rmSync(path, { recursive: true, force: true });
});

/** A 2 x 2 gray PNG of one level. */
async function put(name: string, level: number): Promise<void> {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(
    join(folder, name),
    await encodePng({ data: new Uint8Array(4).fill(level), width: 2, height: 2, channels: 1 }),
  );
}

const size = { width: 2, height: 2, channels: 1 };
async function levels(dataset: Awaited<ReturnType<typeof imageFolder>>, indices: number[]): Promise<number[]> {
  const out = new Uint8Array(indices.length * 4);
  await dataset.read(indices, out);
  return Array.from(out.filter((_, at) => at % 4 === 0));
}

test("images are found in all subdirectories, in the order of their names, and nothing else is", async () => {
  await put("b/two.png", 20);
  await put("b/deep/er/one.PNG", 10);
  await put("a/three.png", 30);
  await put("b/.hidden.png", 99);
  writeFileSync(join(folder, "notes.txt"), "no image");
  mkdirSync(join(folder, "folder.png"));
  symlinkSync(join(folder, "a/three.png"), join(folder, "a/link.png"));
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset).toMatchObject({ length: 4, width: 2, height: 2, channels: 1, source: `the directory ${folder}` });
  expect(await levels(dataset, [0, 1, 2, 3, 3])).toEqual([30, 30, 10, 20, 20]);
});

test("two or more subdirectories are classes", async () => {
  await put("shirt/1.png", 1);
  await put("boot/2.png", 2);
  await put("boot/old/3.png", 3);
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset.classNames).toEqual(["boot", "shirt"]);
  expect(dataset.labels).toEqual(Int32Array.of(0, 0, 1));
});

test("one subdirectory, or images beside the subdirectories, are no classes", async () => {
  await put("all/1.png", 1);
  expect((await imageFolder({ directory: folder, ...size })).labels).toBeUndefined();
  await put("more/2.png", 2);
  await put("3.png", 3);
  expect((await imageFolder({ directory: folder, ...size })).labels).toBeUndefined();
});

test("PNG, JPEG and WebP become RGB of one size", async () => {
  for (const name of ["quarters.png", "quarters.webp", "turned.jpg", "gray.png"]) {
    cpSync(join(fixtures, name), join(folder, name));
  }
  const dataset = await imageFolder({ directory: folder, width: 12, height: 8 });
  expect(dataset).toMatchObject({ length: 4, channels: 3 });
  const out = new Uint8Array(4 * 12 * 8 * 3);
  await dataset.read([1, 2, 3, 0], out);
  // Red is in the upper left corner of all but the ramp.
  for (const start of [0, 288, 576]) {
    const [red, green, blue] = out.subarray(start, start + 3);
    expect(red > 245 && green < 10 && blue < 10).toBe(true);
  }
});

test("what fits into memory is decoded once, the rest each time", async () => {
  await put("1.png", 10);
  await put("2.png", 20);
  const dataset = await imageFolder({ directory: folder, ...size, memoryBytes: 4 });
  expect(await levels(dataset, [0, 1])).toEqual([10, 20]);
  await put("1.png", 11);
  await put("2.png", 21);
  expect(await levels(dataset, [1, 0, 1])).toEqual([21, 10, 21]);
});

test("all broken images are named at once, before any is used, and can be left out", async () => {
  await put("1.png", 10);
  cpSync(join(fixtures, "cut.png"), join(folder, "2.png"));
  await put("3.png", 30);
  cpSync(join(fixtures, "cut.jpg"), join(folder, "4.jpeg"));
  writeFileSync(join(folder, "5.webp"), "<!doctype html><html></html>");
  writeFileSync(join(folder, "6.gif"), "");
  const opening = imageFolder({ directory: folder, ...size });
  await expect(opening).rejects.toThrow(BrokenImages);
  await expect(opening).rejects.toThrow(
    new RegExp(
      `^${folder}: 4 images cannot be read: ${folder}/2.png: cannot decode this image: [^;]+; ` +
        `${folder}/4.jpeg: cannot decode this image: [^;]+; ${folder}/5.webp: not an image, but a web page: [^;]+; ` +
        `${folder}/6.gif: not an image, but an empty file$`,
    ),
  );
  const dataset = await imageFolder({ directory: folder, ...size, skipBroken: true });
  expect(await levels(dataset, [0, 1])).toEqual([10, 30]);
  expect(dataset.leftOut.map(({ name }) => name)).toEqual(["2.png", "4.jpeg", "5.webp", "6.gif"]);
});

test("images that break later are named together too", async () => {
  for (const name of ["1.png", "2.png", "3.png"]) await put(name, 10);
  const dataset = await imageFolder({ directory: folder, ...size });
  unlinkSync(join(folder, "2.png"));
  cpSync(join(fixtures, "cut.png"), join(folder, "3.png"));
  await expect(levels(dataset, [2])).rejects.toThrow(
    /2 images cannot be read: \S+2\.png: cannot read: no such file or directory; \S+3\.png: cannot decode/,
  );
  expect(await levels(dataset, [0])).toEqual([10]);
});

test("a file is looked at again only when it has changed", async () => {
  await put("1.png", 10);
  await put("2.png", 20);
  const mtime = new Date(1e12);
  utimesSync(join(folder, "2.png"), mtime, mtime);
  await imageFolder({ directory: folder, ...size });
  const { size: bytes } = statSync(join(folder, "2.png"));
  // Of the same length and date: what was found holds.
  writeFileSync(join(folder, "2.png"), new Uint8Array(bytes));
  utimesSync(join(folder, "2.png"), mtime, mtime);
  expect(await imageFolder({ directory: folder, ...size })).toMatchObject({ length: 2 });
  utimesSync(join(folder, "2.png"), mtime, new Date(0));
  await expect(imageFolder({ directory: folder, ...size })).rejects.toThrow(
    "2.png: not an image, but nothing but zeros",
  );
});

test("hidden folders, runs, foreign folders and dangling links are left out, each with its reason", async () => {
  await put("a/1.png", 1);
  await put("b/2.png", 2);
  await put(".ipynb_checkpoints/1.png", 9);
  await put("a/.thumbnails/1.png", 9);
  await put("__MACOSX/a/1.png", 9);
  await put("run/samples.png", 9);
  await put("run/samples/step-1.png", 9);
  mkdirSync(join(folder, "run/checkpoints"));
  writeFileSync(join(folder, "run/config.json"), "{}");
  await put("samples-12.png", 9);
  await put("samples-13/0.png", 9);
  symlinkSync("nowhere.png", join(folder, "a/dangling.png"));
  symlinkSync("circle", join(folder, "circle"));
  symlinkSync("..", join(folder, "a/up"));
  writeFileSync(join(folder, "a/labels.csv"), "x");
  execFileSync("mkfifo", [join(folder, "a/pipe.png")]);
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset).toMatchObject({ length: 2, classNames: ["a", "b"] });
  expect(dataset.leftOut.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
    ".ipynb_checkpoints: hidden",
    "__MACOSX: no folder of images",
    "a/.thumbnails: hidden",
    "a/dangling.png: a link to nothing",
    "a/labels.csv: another kind of file (.csv)",
    "a/pipe.png: no regular file",
    "a/up: a link to a folder that is read already",
    "circle: a link to itself",
    "run: a run of unnoise",
    "samples-12.png: drawn by unnoise",
    "samples-13: drawn by unnoise",
  ]);
});

test("linked folders are followed, also as classes", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "unnoise-"));
  await put("cat/1.png", 1);
  const picture = { data: new Uint8Array(4).fill(7), width: 2, height: 2, channels: 1 };
  writeFileSync(join(elsewhere, "2.png"), await encodePng(picture));
  symlinkSync(elsewhere, join(folder, "dog"));
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset.classNames).toEqual(["cat", "dog"]);
  expect(await levels(dataset, [0, 1])).toEqual([1, 7]);
  rmSync(elsewhere, { recursive: true });
});

test("a folder keeps its name where a link leads to it too, and is read once", async () => {
  await put("z/deep/1.png", 1);
  await put("cat/2.png", 2);
  symlinkSync("z", join(folder, "a"));
  symlinkSync(join("z", "deep"), join(folder, "b"));
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset).toMatchObject({ length: 2, classNames: ["cat", "z"] });
  expect(dataset.leftOut.map(({ name }) => name)).toEqual(["a", "b"]);
});

test("of train/ and test/ one is read, and its folders are the classes", async () => {
  for (const name of ["train/cat/1.png", "train/dog/2.png", "Test/cat/3.png", "Test/dog/4.png", "val/cat/5.png"]) {
    await put(name, Number(/\d/.exec(name)?.[0]));
  }
  const train = await imageFolder({ directory: folder, ...size });
  expect(train.classNames).toEqual(["cat", "dog"]);
  expect(await levels(train, [0, 1])).toEqual([1, 2]);
  expect(train.leftOut.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
    "Test: outside of train/",
    "val: outside of train/",
  ]);
  const test = await imageFolder({ directory: folder, ...size, split: "test" });
  expect(await levels(test, [0, 1])).toEqual([3, 4]);
});

test("a train/ without a test/ is a folder like any other", async () => {
  await put("train/1.png", 1);
  await put("plane/2.png", 2);
  expect(await imageFolder({ directory: folder, ...size })).toMatchObject({ classNames: ["plane", "train"] });
});

test("few images beside the folders of classes are left out, many make them no classes", async () => {
  for (let i = 0; i < 10; i++) await put(`${i % 2 ? "odd" : "even"}/${i}.png`, i);
  await put("stray.png", 99);
  const few = await imageFolder({ directory: folder, ...size });
  expect(few).toMatchObject({ length: 10, classNames: ["even", "odd"] });
  expect(few.leftOut).toEqual([
    { path: join(folder, "stray.png"), name: "stray.png", reason: "beside the folders of classes" },
  ]);
  expect(await imageFolder({ directory: folder, ...size, classes: false })).toMatchObject({ length: 11 });
  await put("another.png", 98);
  const many = await imageFolder({ directory: folder, ...size });
  expect(many).toMatchObject({ length: 12, noClasses: "2 images lie beside the folders" });
  expect(many.labels).toBeUndefined();
});

test("folders inside a single one are classes", async () => {
  await put("photos/2024/cat/1.png", 1);
  await put("photos/2024/dog/2.png", 2);
  expect((await imageFolder({ directory: folder, ...size })).classNames).toEqual(["cat", "dog"]);
});

test("names of classes are in Unicode's normal form, and differ by their case", async () => {
  await put("caf\u00e9/1.png", 1);
  await put("cafe\u0301/2.png", 2);
  await put("Caf\u00e9/3.png", 3);
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(dataset.classNames).toEqual(["Caf\u00e9", "caf\u00e9"]);
  expect(dataset.labels).toHaveLength(3);
  expect(await levels(dataset, [0])).toEqual([3]);
});

test("GIF, TIFF, AVIF, JFIF and files without an ending are read", async () => {
  const red = sharp({ create: { width: 4, height: 4, channels: 3, background: "#ff0000" } });
  for (const [name, format] of Object.entries({
    "1.gif": "gif",
    "2.TIF": "tiff",
    "3.avif": "avif",
    "4.jfif": "jpeg",
    "5": "png",
  })) {
    writeFileSync(
      join(folder, name),
      await red
        .clone()
        .toFormat(format as "png")
        .toBuffer(),
    );
  }
  writeFileSync(join(folder, "6"), "no image");
  const dataset = await imageFolder({ directory: folder });
  expect(dataset).toMatchObject({ length: 5, channels: 3 });
  expect(dataset.leftOut).toMatchObject([{ name: "6", reason: "another kind of file" }]);
});

describe("without a size and channels they are chosen", () => {
  async function fill(sizes: readonly (readonly [number, number])[], background = "#777777"): Promise<void> {
    for (const [i, [width, height]] of sizes.entries()) {
      const image = sharp({ create: { width, height, channels: 3, background } });
      writeFileSync(join(folder, `${i}.png`), await image.png().toBuffer());
    }
  }
  const choose = async (options = {}) => {
    const { width, height, channels } = await imageFolder({ directory: folder, ...options });
    return [width, height, channels];
  };

  test("the images' own, if it is the same for all and not large", async () => {
    await fill([
      [48, 32],
      [48, 32],
    ]);
    expect(await choose()).toEqual([48, 32, 1]);
  });

  test("a square otherwise, in colour if some are", async () => {
    await fill(
      [
        [300, 200],
        [640, 480],
        [100, 400],
      ],
      "#aa3311",
    );
    expect(await choose()).toEqual([32, 32, 3]);
    expect(await choose({ sizeMultiple: 5 })).toEqual([30, 30, 3]);
  });

  test("no larger than most of them", async () => {
    await fill([
      [20, 21],
      [22, 20],
      [500, 500],
    ]);
    expect(await choose({ sizeMultiple: 4 })).toEqual([20, 20, 1]);
  });

  test("and what is given stays", async () => {
    await fill([[20, 20]]);
    expect(await choose({ width: 12, height: 10, channels: 3 })).toEqual([12, 10, 3]);
  });
});

test("a missing, an empty and a false directory, and wrong sizes, each have their line", async () => {
  const missing = join(folder, "none");
  await expect(imageFolder({ directory: missing, ...size })).rejects.toThrow(`${missing}: cannot list: no such file`);
  await expect(imageFolder({ directory: folder, ...size })).rejects.toThrow(`${folder}: no images there`);
  await put("1.png", 1);
  const file = join(folder, "1.png");
  await expect(imageFolder({ directory: file, ...size })).rejects.toThrow(`${file}: cannot list: `);
  await expect(imageFolder({ directory: folder, ...size, width: 0 })).rejects.toThrow(
    "width must be a positive integer, got 0",
  );
  await expect(imageFolder({ directory: folder, ...size, channels: 4 })).rejects.toThrow(
    "channels must be 1 or 3, got 4",
  );
});
