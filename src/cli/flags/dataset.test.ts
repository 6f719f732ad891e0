import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodePng } from "../../io/images/images.node.ts";
import { openData } from "./dataset.ts";

/** An IDX file of bytes: the axes, then 0, 1, 2, ... */
function idx(...axes: number[]): Uint8Array {
  const size = axes.reduce((product, axis) => product * axis, 1);
  const header = Buffer.alloc(4 + 4 * axes.length);
  [0x800 + axes.length, ...axes].forEach((word, i) => header.writeUInt32BE(word, 4 * i));
  return Buffer.concat([header, Uint8Array.from({ length: size }, (_, i) => i % 10)]);
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-data-"));
  await mkdir(join(folder, "pair"));
  await writeFile(join(folder, "pair", "t10k-images-idx3-ubyte"), idx(2, 4, 4));
  await writeFile(join(folder, "pair", "t10k-labels-idx1-ubyte"), idx(2));
  await writeFile(join(folder, "pair", "train-images-idx3-ubyte.gz"), gzipSync(idx(7, 4, 4)));
  await writeFile(join(folder, "pair", "train-labels-idx1-ubyte.gz"), gzipSync(idx(7)));
  await mkdir(join(folder, "pictures"));
  const picture = { data: new Uint8Array(60).fill(9), width: 5, height: 4, channels: 3 };
  await writeFile(join(folder, "pictures", "one.png"), await encodePng(picture));
});
afterAll(() => rm(folder, { recursive: true }));

const open = (name: string) => openData({ data: join(folder, name), imageSize: 8, channels: 3 }, () => {});

test("a directory of IDX files gives its training split, with labels", async () => {
  const { length, height, width, channels, labels } = await open("pair");
  expect([length, height, width, channels]).toEqual([7, 4, 4, 1]);
  expect(labels).toHaveLength(7);
});

test("an IDX file gives its images", async () => {
  expect(await open("pair/t10k-images-idx3-ubyte")).toMatchObject({ length: 2, labels: undefined });
});

test("a directory of images gives them in the size and the channels that are asked for", async () => {
  expect(await open("pictures")).toMatchObject({ length: 1, height: 8, width: 8, channels: 3 });
});

test("a name that is no dataset and no path is refused", async () => {
  await expect(openData({ data: "fashion", imageSize: 8, channels: 1 }, () => {})).rejects.toThrow(
    "--data must be fashion-mnist, mnist, cifar10, or a path that exists, got fashion",
  );
});
