import { describe, expect, test } from "vitest";
import { memoryDataset } from "./dataset.ts";
import { idxDataset, parseIdx } from "./idx.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const images = bytes(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
const labels = bytes(0, 0, 8, 1, 0, 0, 0, 2, 7, 1);

describe("IDX files", () => {
  test("axes are big-endian and values follow", () => {
    expect(parseIdx(images, "a")).toEqual({ shape: [2, 1, 3], data: bytes(1, 2, 3, 4, 5, 6) });
  });

  test("a file inside a larger buffer is read from its own start", () => {
    const larger = bytes(9, 9, 9, ...labels, 9);
    expect(parseIdx(larger.subarray(3, 3 + labels.length), "a")).toEqual({ shape: [2], data: bytes(7, 1) });
  });

  test.each([
    ["nothing", bytes(), "not an IDX file"],
    ["three bytes", bytes(0, 0, 8), "not an IDX file"],
    ["a web page", new TextEncoder().encode("<html></html>"), "not an IDX file"],
    ["gzip", bytes(0x1f, 0x8b, 8, 0, 0, 0), "not an IDX file"],
    ["floats", bytes(0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0), "must hold unsigned bytes, this one has 32-bit floats"],
    ["an unknown type", bytes(0, 0, 0x77, 1, 0, 0, 0, 0), "this one has unknown type 119"],
    ["no axes", bytes(0, 0, 8, 0, 1), "damaged IDX file: 0 axes"],
    ["255 axes", bytes(0, 0, 8, 255, 0, 0, 0, 1), "damaged IDX file: 255 axes in a file of 8 bytes"],
    ["255 axes of a long file", bytes(0, 0, 8, 255, ...Array<number>(2000).fill(1)), "damaged IDX file: 255 axes"],
    ["a header cut short", images.slice(0, 15), "damaged IDX file: 3 axes in a file of 15 bytes"],
    ["one value missing", images.slice(0, -1), "shape [2, 1, 3] needs 6 bytes, the file has 5"],
    ["one value too many", bytes(...images, 0), "shape [2, 1, 3] needs 6 bytes, the file has 7"],
    ["axes whose product is 2^32", bytes(0, 0, 8, 2, 0, 1, 0, 0, 0, 1, 0, 0), "needs 4294967296 bytes, the file has 0"],
    [
      "axes whose product is 2^64",
      bytes(0, 0, 8, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0),
      "damaged IDX file: shape [65536, 65536, 65536, 65536]",
    ],
    ["a negative axis", bytes(0, 0, 8, 1, 255, 255, 255, 255, 0), "shape [4294967295]"],
  ])("%s is refused in one line that names the file", (_, content, message) => {
    const read = () => parseIdx(content, "t10k.gz");
    expect(read).toThrow(/^t10k\.gz: [^\n]+$/);
    expect(read).toThrow(message);
  });
});

describe("IDX datasets", () => {
  const pair = { images: { bytes: images, source: "i" }, labels: { bytes: labels, source: "l" } };

  test("three axes are gray images", async () => {
    const dataset = idxDataset({ name: "pair", source: "here", ...pair });
    expect(dataset).toMatchObject({ name: "pair", source: "here", length: 2, height: 1, width: 3, channels: 1 });
    expect(dataset.labels).toEqual(Int32Array.of(7, 1));
    const out = new Uint8Array(9);
    await dataset.read([1, 0, 1], out);
    expect([...out]).toEqual([4, 5, 6, 1, 2, 3, 4, 5, 6]);
  });

  test("a fourth axis is the channels", () => {
    const colour = bytes(0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
    const dataset = idxDataset({ name: "colour", source: "", images: { bytes: colour, source: "i" } });
    expect(dataset).toMatchObject({ length: 1, height: 1, width: 2, channels: 3, labels: undefined });
  });

  test.each([
    ["labels as images", { ...pair, images: pair.labels }, "l: images must be [count, height, width], got [2]"],
    ["images as labels", { ...pair, labels: pair.images }, "i: 2 images need as many labels, got [2, 1, 3]"],
    ["one label", { ...pair, labels: { bytes: bytes(0, 0, 8, 1, 0, 0, 0, 1, 7), source: "l" } }, "l: 2 images need"],
    [
      "no images",
      { images: { bytes: bytes(0, 0, 8, 3, ...Array<number>(12).fill(0)), source: "i" } },
      "i: holds no images",
    ],
    ["a label without a class", { ...pair, classNames: ["a", "b"] }, "l: label 7, there are 2 classes"],
  ])("%s are refused", (_, options, message) => {
    expect(() => idxDataset({ name: "pair", source: "", ...options })).toThrow(message);
  });
});

describe("datasets in memory", () => {
  const options = { name: "dots", images: bytes(1, 2, 3, 4), shape: [4, 1, 1, 1] };

  test("wrong parts are named", () => {
    expect(() => memoryDataset({ ...options, shape: [3, 1, 1, 1] })).toThrow("do not have 4 bytes");
    expect(() => memoryDataset({ ...options, shape: [4, 1] })).toThrow("got [4, 1]");
    expect(() => memoryDataset({ ...options, labels: [1] })).toThrow("dots: 1 labels for 4 images");
    expect(() => memoryDataset({ ...options, labels: [0, 1, 2, -1] })).toThrow("dots: label -1");
  });

  test.each([[[4]], [[-1]], [[0.5]], [[NaN]]])("reading image %j is refused and nothing is written", (indices) => {
    const out = new Uint8Array(1);
    expect(() => memoryDataset(options).read(indices, out)).toThrow(/dots: there is no image .*, the dataset has 4/);
    expect(() => memoryDataset(options).read([0], new Uint8Array(2))).toThrow("an output of 1 bytes, got 2");
    expect(out[0]).toBe(0);
  });
});
