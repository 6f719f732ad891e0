import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fashionMnist, fashionMnistFiles } from "./fashion-mnist.node.ts";
import type { ImageDataset } from "../dataset.ts";

function statistics({ length }: ImageDataset, images: Uint8Array): { mean: number; deviation: number } {
  const count = length * 28 * 28;
  let [sum, squares] = [0, 0];
  for (const byte of images) {
    sum += byte;
    squares += byte * byte;
  }
  return { mean: sum / count, deviation: Math.sqrt(squares / count - (sum / count) ** 2) };
}

async function all(dataset: ImageDataset): Promise<Uint8Array> {
  const images = new Uint8Array(dataset.length * 28 * 28);
  await dataset.read(
    Array.from({ length: dataset.length }, (_, index) => index),
    images,
  );
  return images;
}

describe("the carried test split", () => {
  const carried = fashionMnistFiles.carried!.directory;

  test.each([
    ["t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"],
    ["t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"],
  ])("%s has the MD5 that Zalando publishes", (name, md5) => {
    expect(
      createHash("md5")
        .update(readFileSync(`${carried}/${name}`))
        .digest("hex"),
    ).toBe(md5);
  });

  test("has 10,000 images of ten classes of 1,000, and starts with an ankle boot", async () => {
    const lines: string[] = [];
    const dataset = await fashionMnist({ split: "test", cache: false, log: (line) => lines.push(line) });
    expect(dataset).toMatchObject({ name: "fashion-mnist test", length: 10_000, height: 28, width: 28, channels: 1 });
    expect([...dataset.labels!.subarray(0, 10)]).toEqual([9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    expect(dataset.classNames?.[9]).toBe("Ankle boot");
    const counts = dataset.classNames!.map((_, label) => dataset.labels!.filter((found) => found === label).length);
    expect(counts).toEqual(Array<number>(10).fill(1000));
    expect(lines.at(-1)).toBe(`fashion-mnist: 10,000 test images from ${dataset.source}`);
  });

  test("its first image is the boot that NumPy reads", async () => {
    const dataset = await fashionMnist({ split: "test", cache: false });
    const boot = new Uint8Array(28 * 28);
    await dataset.read([0], boot);
    // numpy: images[0].sum(), images[0][7, 20:28], images[0][21, :6]
    expect(boot.reduce((sum, byte) => sum + byte, 0)).toBe(33456);
    expect([...boot.subarray(7 * 28 + 20, 8 * 28)]).toEqual([1, 0, 0, 7, 0, 37, 0, 0]);
    expect([...boot.subarray(21 * 28, 21 * 28 + 6)]).toEqual([0, 0, 0, 12, 67, 106]);
  });
});

/** The training images are 26 MB: they are read where the machine has them, and not fetched for a test. */
const train = await fashionMnist({ offline: true });

describe.skipIf(train.length !== 60_000)("the training split (skipped where the machine does not have it)", () => {
  test("has the mean and deviation known for it, 72.94 and 90.02", async () => {
    const { mean, deviation } = statistics(train, await all(train));
    expect(mean).toBeCloseTo(72.94, 2);
    expect(deviation).toBeCloseTo(90.02, 2);
  });

  test("has 6,000 of each class, and starts as published", () => {
    expect([...train.labels!.subarray(0, 10)]).toEqual([9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
    const counts = train.classNames!.map((_, label) => train.labels!.filter((found) => found === label).length);
    expect(counts).toEqual(Array<number>(10).fill(6000));
  });
});
