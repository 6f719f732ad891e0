import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodePng } from "../io/images.node.ts";
import { imageFolder } from "./image-folder.node.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/images", import.meta.url));
let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "unnoise-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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

test("nothing is decoded before it is read, and a broken file is named when it is", async () => {
  await put("1.png", 10);
  cpSync(join(fixtures, "cut.png"), join(folder, "2.png"));
  await put("3.png", 30);
  const dataset = await imageFolder({ directory: folder, ...size });
  expect(await levels(dataset, [0, 2])).toEqual([10, 30]);
  await expect(levels(dataset, [0, 1, 2])).rejects.toThrow(`${join(folder, "2.png")}: cannot decode this image: `);
  unlinkSync(join(folder, "2.png"));
  await expect(levels(dataset, [1])).rejects.toThrow(
    `${join(folder, "2.png")}: cannot read: no such file or directory`,
  );
});

test("a missing, an empty and a false directory, and wrong sizes, each have their line", async () => {
  const missing = join(folder, "none");
  await expect(imageFolder({ directory: missing, ...size })).rejects.toThrow(`${missing}: cannot list: no such file`);
  await expect(imageFolder({ directory: folder, ...size })).rejects.toThrow(
    `${folder}: no PNG, JPEG or WebP images there`,
  );
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
