import { describe, expect, test } from "vitest";
import { imageContexts, imageVectors } from "./conditions.ts";
import type { ConditionSource } from "./conditions.ts";
import { memoryDataset } from "./dataset.ts";
import type { ImageDataset } from "./dataset.ts";
import { DataLoader } from "./loader.ts";
import { randomOrder, xoshiro128 } from "./random-order.ts";

/** Image i has all bytes i, and label i % 7. */
function numbered(length: number): ImageDataset {
  const labels = Array.from({ length }, (_, index) => index % 7);
  const images = Uint8Array.from({ length: length * 4 }, (_, at) => Math.floor(at / 4));
  return memoryDataset({ name: "numbers", images, shape: [length, 2, 2, 1], labels });
}

/** The same with reads that end later, and a count of how many are under way. */
function slow(length: number): ImageDataset & { readonly begun: number[]; most: number; broken: boolean } {
  const inner = numbered(length);
  let running = 0;
  const dataset = {
    ...inner,
    begun: [] as number[],
    most: 0,
    broken: false,
    read: async (indices: ArrayLike<number>, out: Uint8Array) => {
      dataset.begun.push(indices[0]);
      dataset.most = Math.max(dataset.most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (dataset.broken) throw new Error("7.png: broken");
      await inner.read(indices, out);
    },
  };
  return dataset;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const numbersOf = (images: Uint8Array) => Array.from(images.filter((_, at) => at % 4 === 0));

async function take(loader: DataLoader, count: number): Promise<number[][]> {
  const batches: number[][] = [];
  for (let batch = 0; batch < count; batch++) batches.push(numbersOf((await loader.next()).images));
  return batches;
}

describe("the generator", () => {
  test("gives the published numbers of xoshiro128**", () => {
    const next = xoshiro128([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, next)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test("an order has every number once, and seed and epoch change it", () => {
    const orders = [
      randomOrder(1000, 0, 0),
      randomOrder(1000, 0, 1),
      randomOrder(1000, 1, 0),
      randomOrder(1000, 2 ** 32, 0),
      randomOrder(1000, 2 ** 53 - 1, 0),
    ];
    const sorted = Uint32Array.from({ length: 1000 }, (_, index) => index);
    for (const order of orders) expect(order.toSorted()).toEqual(sorted);
    expect(new Set(orders.map((order) => order.join())).size).toBe(5);
    expect(randomOrder(1000, 5, 9)).toEqual(randomOrder(1000, 5, 9));
  });

  test("every number is equally likely at every place (chi-squared, 1% level)", () => {
    const counts = new Float64Array(64);
    const rounds = 8000;
    for (let epoch = 0; epoch < rounds; epoch++) {
      for (const [place, number] of randomOrder(8, 42, epoch).entries()) counts[place * 8 + number]++;
    }
    const expected = rounds / 8;
    const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 49 degrees of freedom.
    expect(statistic).toBeLessThan(74.92);
  });
});

describe("batches", () => {
  test("have the vectors and contexts of their images, filled up where they are short", async () => {
    const vectors = { dim: 2, of: (index: number) => [index, -index] };
    const contexts = {
      dim: 1,
      length: 3,
      of: async (index: number) => Array.from({ length: index % 4 }, (_, place) => [10 * index + place]),
    };
    const conditions = [imageVectors(vectors), imageContexts(contexts)];
    const loader = new DataLoader({ dataset: { ...numbered(6), conditions }, batchSize: 3, shuffle: false });
    await loader.next();
    const { vector, context, contextMask, classes } = (await loader.next()).conditions;
    expect(classes).toMatchObject({ shape: [3], dtype: "i32" });
    expect(vector).toMatchObject({ shape: [3, 2], data: Float32Array.of(3, -3, 4, -4, 5, -5) });
    expect(context).toMatchObject({ shape: [3, 3, 1], data: Float32Array.of(30, 31, 32, 0, 0, 0, 50, 0, 0) });
    expect(contextMask).toMatchObject({ shape: [3, 3], dtype: "bool", data: Int32Array.of(1, 1, 1, 0, 0, 0, 1, 0, 0) });
    loader.close();
    const next = (condition: ConditionSource) =>
      new DataLoader({ dataset: { ...numbered(6), conditions: [condition] }, batchSize: 6 }).next();
    await expect(next(imageVectors({ ...vectors, dim: 3 }))).rejects.toThrow(
      "vectors: each must have 3 numbers, got 2",
    );
    await expect(next(imageContexts({ ...contexts, length: 2 }))).rejects.toThrow(
      "contexts: each must have up to 2 tokens, got 3",
    );
    await expect(next(imageContexts({ ...contexts, dim: 2 }))).rejects.toThrow(
      "contexts: each token must have 2 numbers, got 1",
    );
  });

  test("an epoch has every image at most once, with its label, and drops the rest", async () => {
    const loader = new DataLoader({ dataset: numbered(103), batchSize: 10, seed: 3 });
    expect(loader.batchesPerEpoch).toBe(10);
    const seen = new Set<number>();
    for (let step = 0; step < 10; step++) {
      const { images, labels, epoch, position } = await loader.next();
      expect([epoch, position]).toEqual([0, step * 10]);
      expect([...labels!]).toEqual(numbersOf(images).map((number) => number % 7));
      for (const number of numbersOf(images)) seen.add(number);
    }
    expect(seen.size).toBe(100);
    expect(await loader.next()).toMatchObject({ epoch: 1, position: 0 });
  });

  test("epochs have different orders, and the same seed the same ones", async () => {
    const [a, b, c] = [3, 3, 4].map((seed) => new DataLoader({ dataset: numbered(40), batchSize: 8, seed }));
    const [first, again, other] = [await take(a, 10), await take(b, 10), await take(c, 10)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first.slice(5)).not.toEqual(first.slice(0, 5));
  });

  test("without shuffling the order is the dataset's, and the last batch may be short", async () => {
    const loader = new DataLoader({ dataset: numbered(5), batchSize: 2, shuffle: false, dropLast: false });
    expect(loader.batchesPerEpoch).toBe(3);
    expect(await take(loader, 4)).toEqual([[0, 1], [2, 3], [4], [0, 1]]);
  });

  test("a batch stays as it is until the next one is asked for, even after the next is gathered", async () => {
    const loader = new DataLoader({ dataset: numbered(100), batchSize: 4 });
    for (let step = 0; step < 6; step++) {
      const { images, labels } = await loader.next();
      const [before, labelsBefore] = [images.slice(), labels!.slice()];
      await pause(3);
      expect(images).toEqual(before);
      expect(labels).toEqual(labelsBefore);
    }
  });

  test("a loop goes on over epochs", async () => {
    const places: string[] = [];
    for await (const { epoch, position } of new DataLoader({ dataset: numbered(4), batchSize: 2 })) {
      places.push(`${epoch}:${position}`);
      if (places.length === 5) break;
    }
    expect(places).toEqual(["0:0", "0:2", "1:0", "1:2", "2:0"]);
  });
});

describe("going on", () => {
  test.each([0, 1, 7, 10, 11, 25])(
    "after %i batches a restored loader gives what the first would have given",
    async (count) => {
      const options = { dataset: numbered(83), batchSize: 8, seed: 11 };
      const first = new DataLoader(options);
      await take(first, count);
      const state = JSON.parse(JSON.stringify(first.state())) as ReturnType<typeof first.state>;
      const restored = new DataLoader(options);
      restored.restore(state);
      expect(await take(restored, 15)).toEqual(await take(first, 15));
      expect(restored.state()).toEqual(first.state());
    },
  );

  test.each([
    [
      { epoch: 2, position: 8, length: 21 },
      { epoch: 3, position: 0, length: 20 },
    ],
    [
      { epoch: 2, position: 40, length: 60 },
      { epoch: 3, position: 0, length: 20 },
    ],
    [
      { epoch: 2, position: 0, length: 19 },
      { epoch: 2, position: 0, length: 20 },
    ],
  ])("where images were added or removed since %j, the next epoch begins", async (state, expected) => {
    const options = { dataset: numbered(20), batchSize: 4, seed: 3 };
    const loader = new DataLoader(options);
    loader.restore(state);
    expect(loader.state()).toEqual(expected);
    const fresh = new DataLoader(options);
    fresh.restore(expected);
    expect(await take(loader, 6)).toEqual(await take(fresh, 6));
  });

  test("a loader goes back to an earlier state while it prefetches from a slow dataset", async () => {
    const dataset = slow(40);
    const loader = new DataLoader({ dataset, batchSize: 4, seed: 1 });
    const state = loader.state();
    const batches = await take(loader, 3);
    await pause(2);
    loader.restore(state);
    expect(await take(loader, 3)).toEqual(batches);
    expect(dataset.most).toBe(1);
    loader.close();
  });

  test.each([
    [{ epoch: 0, position: 3, length: 20 }, "starts at epoch 0, position 3"],
    [{ epoch: 0, position: 20, length: 20 }, "starts at epoch 0, position 20"],
    [{ epoch: 0, position: -4, length: 20 }, "position -4"],
    [{ epoch: -1, position: 0, length: 20 }, "epoch -1"],
    [{ epoch: NaN, position: 0, length: 20 }, "epoch NaN"],
    [{ epoch: 0, position: 3, length: 60000 }, "starts at epoch 0, position 3"],
  ])("the state %j is refused", (state, message) => {
    const loader = new DataLoader({ dataset: numbered(20), batchSize: 4 });
    expect(() => loader.restore(state)).toThrow(message);
  });
});

describe("prefetching", () => {
  test("the next batch is gathered while the last is in use, and not the one after", async () => {
    const dataset = slow(100);
    const loader = new DataLoader({ dataset, batchSize: 4, shuffle: false });
    await loader.next();
    await pause(20);
    expect(dataset.begun).toEqual([0, 4]);
    await loader.next();
    await pause(20);
    expect(dataset.begun).toEqual([0, 4, 8]);
    loader.close();
  });

  test("an error comes with the batch that it belongs to, and the batch can be tried again", async () => {
    const dataset = slow(100);
    const loader = new DataLoader({ dataset, batchSize: 4, shuffle: false });
    await loader.next();
    dataset.broken = true;
    await pause(20);
    await expect(loader.next()).rejects.toThrow("7.png: broken");
    dataset.broken = false;
    expect(await take(loader, 2)).toEqual([
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
    loader.close();
  });

  test("asking twice at once is refused, as there are only two sets of buffers", async () => {
    const loader = new DataLoader({ dataset: slow(100), batchSize: 4 });
    const first = loader.next();
    await expect(loader.next()).rejects.toThrow("next() was called again before the batch before had come");
    expect((await first).position).toBe(0);
    loader.close();
  });
});

test.each([
  [{ batchSize: 21 }, "[DataLoader] batchSize 21 needs as many images, numbers has 20"],
  [{ batchSize: 0 }, "[DataLoader] batchSize must be a positive integer, got 0"],
  [{ batchSize: 2, seed: -1 }, "[DataLoader] seed must be a whole number that is not negative, got -1"],
])("the options %j are refused", (options, message) => {
  expect(() => new DataLoader({ dataset: numbered(20), ...options })).toThrow(message);
});

describe("a loader for one of several processes", () => {
  test.each([
    [6, true],
    [7, false],
  ])("reads its share of each batch of %i, of a last one that is smaller too", async (batchSize, dropLast) => {
    const dataset = numbered(20);
    const whole = new DataLoader({ dataset, batchSize, seed: 3, dropLast });
    const shares = [0, 1, 2].map(
      (rank) => new DataLoader({ dataset, batchSize, seed: 3, dropLast, shard: { rank, size: 3 } }),
    );
    for (let i = 0; i < 5; i++) {
      const all = numbersOf((await whole.next()).images);
      const parts = await Promise.all(shares.map((loader) => loader.next()));
      expect(parts.flatMap(({ images }) => numbersOf(images))).toEqual(all);
      expect(parts.flatMap(({ labels }) => [...(labels ?? [])])).toEqual(all.map((index) => index % 7));
      for (const { images, firstImage } of parts) expect(all[firstImage]).toBe(images[0]);
      for (const loader of shares) expect(loader.state()).toEqual(whole.state());
    }
  });
});
