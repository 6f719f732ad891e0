import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImageDataset } from "../dataset.ts";
import { parquetDataset } from "./parquet-dataset.node.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/parquet", import.meta.url));
const file = (name: string) => join(fixtures, `${name}.parquet`);
const expected = JSON.parse(await readFile(join(fixtures, "pixels.json"), "utf8")) as {
  readonly labels: readonly number[];
  readonly gray: readonly (readonly number[])[];
  readonly colour: readonly (readonly number[])[];
};
const classNames = ["T - shirt / top", "Trouser", "Pullover"];

async function pixels(dataset: ImageDataset): Promise<number[][]> {
  const size = dataset.height * dataset.width * dataset.channels;
  const out = new Uint8Array(dataset.length * size);
  await dataset.read(
    Array.from({ length: dataset.length }, (_, i) => i),
    out,
  );
  return Array.from({ length: dataset.length }, (_, i) => [...out.subarray(i * size, (i + 1) * size)]);
}

describe("Parquet files as pyarrow and `datasets` write them", () => {
  test("hold gray images, with the names of their classes", async () => {
    const dataset = await parquetDataset({ files: [file("gray")] });
    expect(dataset).toMatchObject({ length: 12, height: 8, width: 8, channels: 1, classNames });
    expect([...(dataset.labels ?? [])]).toEqual(expected.labels);
    expect(await pixels(dataset)).toEqual(expected.gray);
  });

  const hasZstd = "zstdDecompressSync" in process.getBuiltinModule("node:zlib");
  test.skipIf(!hasZstd)("hold colours, in columns of other names, groups of rows, and zstd", async () => {
    const dataset = await parquetDataset({ files: [file("colour")], name: "cifar" });
    expect(dataset).toMatchObject({ name: "cifar", length: 12, channels: 3, classNames });
    expect([...(dataset.labels ?? [])]).toEqual(expected.labels);
    expect(await pixels(dataset)).toEqual(expected.colour);
  });

  test.each(["bare-gzip", "bare-brotli"])("%s: without metadata", async (name) => {
    const dataset = await parquetDataset({ files: [file(name)] });
    expect(dataset.classNames).toEqual(["0", "1", "2"]);
    expect(await pixels(dataset)).toEqual(expected.gray);
  });

  test("follow one another, keep few images decoded, and scale as asked", async () => {
    const files = [file("gray"), file("gray")];
    const dataset = await parquetDataset({ files, memoryBytes: 200, classes: false });
    expect(dataset.length).toBe(24);
    expect(dataset.labels).toBeUndefined();
    expect(await pixels(dataset)).toEqual([...expected.gray, ...expected.gray]);
    const small = await parquetDataset({ files, width: 4, height: 2, channels: 3 });
    expect((await pixels(small))[0]).toHaveLength(24);
  });

  test("whose labels are secret are without classes", async () => {
    const dataset = await parquetDataset({ files: [file("secret")] });
    expect([dataset.labels, dataset.classNames]).toEqual([undefined, undefined]);
  });
});

describe("what is no dataset of images is one line", () => {
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "unnoise-parquet-"))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ["elsewhere", {}, /elsewhere\.parquet: row 0: image has no bytes$/],
    ["text", {}, /text\.parquet: no column of images, \{ bytes, path \}; it has text$/],
    ["gray", { imageColumn: "note" }, /no column note of images, \{ bytes, path \}; it has image, label, note$/],
    ["gray", { labelColumn: "kind" }, /labelColumn must be one of its columns, image, label, note, got kind$/],
    ["gray", { labelColumn: "note" }, /row 0: note must be a whole number, got note 0$/],
    ["gray", { channels: 2 }, /^parquetDataset: channels must be 1 or 3, got 2$/],
    ["none", {}, /none\.parquet: cannot read: no such file or directory$/],
  ])("%s with %j", async (name, options, message) => {
    await expect(parquetDataset({ files: [file(name)], ...options })).rejects.toThrow(message);
  });

  test("other files, and damaged ones", async () => {
    await expect(parquetDataset({ files: [join(fixtures, "generate.py")] })).rejects.toThrow(
      /generate\.py: not a Parquet file, but a text file$/,
    );
    const whole = await readFile(file("gray"));
    const broken = join(folder, "broken.parquet");
    await writeFile(broken, whole.subarray(0, -200));
    await expect(parquetDataset({ files: [broken] })).rejects.toThrow(/broken\.parquet: cannot read: [^\n]+$/);
    // Every byte of the file may be wrong: what is thrown is one line that names it, or the images still come.
    for (let at = 4; at < whole.length; at += 97) {
      const changed = Buffer.from(whole);
      changed[at] ^= 0x5a;
      await writeFile(broken, changed);
      const outcome = await parquetDataset({ files: [broken] }).then(
        (dataset) => dataset.length,
        (error: unknown) => (error as Error).message,
      );
      if (typeof outcome === "string") expect(outcome).toMatch(/^[^\n]*broken\.parquet: [^\n]+$/);
      else expect(outcome).toBeLessThanOrEqual(12);
    }
  });
});
