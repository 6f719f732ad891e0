import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { HubServer } from "../../../../test/support/hub-server.ts";
import { encodePng } from "../../../io/images/images.node.ts";
import { isImageCollection, isSameData, openData } from "./dataset.ts";

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

const parquet = fileURLToPath(new URL("../../../../test/fixtures/parquet/gray.parquet", import.meta.url));

test("a Parquet file gives its images and their classes", async () => {
  const dataset = await openData({ data: parquet, channels: 3 }, () => {});
  expect(dataset).toMatchObject({ name: parquet, length: 12, height: 8, width: 8, channels: 3 });
  expect(dataset.classNames).toEqual(["T - shirt / top", "Trouser", "Pullover"]);
  expect(await isImageCollection(parquet)).toBe(true);
});

test("hub:<dataset> gives images of the hub, and a run on them knows them by that name", async () => {
  const files = { "garments/train-00000-of-00001.parquet": await readFile(parquet) };
  const server = await HubServer.open({ "datasets/owner/garments": { commit: "0".repeat(40), files } });
  vi.stubEnv("HF_ENDPOINT", server.endpoint);
  vi.stubEnv("HF_HOME", join(folder, "hf"));
  const lines: string[] = [];
  const data = "hub:owner/garments:garments";
  const dataset = await openData({ data }, (line) => lines.push(line));
  expect(dataset).toMatchObject({ name: data, length: 12, channels: 1 });
  expect(lines).toEqual([
    "Downloading garments/train-00000-of-00001.parquet (2.61 KiB) ...",
    "owner/garments train: 12 images from owner/garments",
  ]);
  expect(isSameData({ data }, { data, startedIn: "/elsewhere" })).toBe(true);
  await expect(openData({ data: "hub:owner/none" }, () => {})).rejects.toThrow(
    /^owner\/none: there is no such dataset/,
  );
  vi.unstubAllEnvs();
  server.close();
});

test("a name that is no dataset and no path is refused", async () => {
  await expect(openData({ data: "fashion", imageSize: 8, channels: 1 }, () => {})).rejects.toThrow(
    "--data must be fashion-mnist, mnist, cifar10, hub:<dataset>, or a path that exists, got fashion",
  );
});
