import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cifarDataset } from "./cifar.ts";
import { cifar10, hasCifar10 } from "./cifar10.node.ts";
import type { ImageDataset } from "../dataset.ts";
import { parseTar } from "./tar.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/cifar/", import.meta.url));
const archive = new Uint8Array(gunzipSync(readFileSync(join(fixtures, "cifar-10-binary.tar.gz"))));

/** What generate.py wrote: labels, the sum of each image's channels, and its upper right corner of 2 x 2 pixels. */
const recorded = JSON.parse(readFileSync(join(fixtures, "images.json"), "utf8")) as Readonly<
  Record<string, { labels: number[]; sums: number[][]; corner: number[][][][] }>
>;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "unnoise-"));
  execFileSync("tar", ["-xzf", join(fixtures, "cifar-10-binary.tar.gz"), "-C", folder]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function contentOf(dataset: ImageDataset) {
  const bytes = new Uint8Array(dataset.length * 32 * 32 * 3);
  await dataset.read(
    Array.from({ length: dataset.length }, (_, i) => i),
    bytes,
  );
  return Array.from({ length: dataset.length }, (_, i) => {
    const image = bytes.subarray(i * 3072, (i + 1) * 3072);
    const pixel = (y: number, x: number) => [...image.subarray((y * 32 + x) * 3, (y * 32 + x) * 3 + 3)];
    return {
      label: dataset.labels?.[i],
      sums: [0, 1, 2].map((channel) => image.reduce((sum, value, at) => sum + (at % 3 === channel ? value : 0), 0)),
      corner: [0, 1].map((y) => [30, 31].map((x) => pixel(y, x))),
    };
  });
}

const expected = (names: readonly string[]) =>
  names.flatMap((name) =>
    [0, 1].map((i) => ({
      label: recorded[name].labels[i],
      sums: recorded[name].sums[i],
      corner: recorded[name].corner[i],
    })),
  );
const train = [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}`);

describe("CIFAR-10", () => {
  test.each([
    ["the archive", () => fixtures],
    ["its unpacked batches", () => join(folder, "cifar-10-batches-bin")],
  ])("is read from %s as NumPy reads it", async (_, place) => {
    const dataset = await cifar10({ directory: place() });
    expect(dataset).toMatchObject({ name: "cifar10 train", length: 10, height: 32, width: 32, channels: 3 });
    expect(dataset.classNames?.[dataset.labels?.[0] ?? -1]).toBe("airplane");
    expect(dataset.classNames?.at(-1)).toBe("truck");
    expect(await contentOf(dataset)).toEqual(expected(train));
    const held = await cifar10({ directory: place(), split: "test" });
    expect(held.name).toBe("cifar10 test");
    expect(await contentOf(held)).toEqual(expected(["test_batch"]));
  });

  test("is known by its archive and by its batches", () => {
    expect(hasCifar10(join(folder, "cifar-10-batches-bin"))).toBe(true);
    expect(hasCifar10(fixtures)).toBe(true);
    expect(hasCifar10(folder)).toBe(false);
  });

  test("another archive than the published one is refused where nobody named it", async () => {
    const lines: string[] = [];
    const options = { cache: folder, offline: true, log: (line: string) => void lines.push(line) };
    await expect(cifar10(options)).rejects.toThrow(
      new RegExp(`^cifar10: found nowhere: .*cifar10: no cifar-10-binary.tar.gz or cifar-10-binary.tar there$`),
    );
  });

  test.each<[string, Uint8Array, string]>([
    ["no image", new Uint8Array(0), "b.bin: not a CIFAR-10 batch: 0 bytes are no multiple of 3073"],
    ["half an image", new Uint8Array(3072), "b.bin: not a CIFAR-10 batch: 3072 bytes are no multiple of 3073"],
    ["an unknown class", new Uint8Array(3073).fill(2), "b.bin: label 2 of image 0, there are 2 classes"],
  ])("a batch with %s is refused", (_, bytes, message) => {
    const batches = [{ bytes, source: "b.bin" }];
    expect(() => cifarDataset({ name: "c", source: "s", batches, classNames: ["a", "b"] })).toThrow(message);
  });
});

describe("a tar archive", () => {
  test("has the files that tar lists, with their bytes, and no directories", () => {
    const names = execFileSync("tar", ["-tzf", join(fixtures, "cifar-10-binary.tar.gz")], { encoding: "utf8" });
    const files = parseTar(archive, "a.tar");
    expect([...files.keys()]).toEqual(names.split("\n").filter((name) => name.endsWith(".bin")));
    for (const [name, bytes] of files) expect(Buffer.from(bytes)).toEqual(readFileSync(join(folder, name)));
  });

  test("with long names, by GNU tar's ustar format, has them whole", () => {
    const long = `${"d".repeat(60)}/${"f".repeat(80)}`;
    const make = `mkdir -p ${"d".repeat(60)} && printf hello > ${long} && tar --format=ustar -cf long.tar ${long}`;
    execFileSync("sh", ["-c", make], { cwd: folder });
    const files = parseTar(readFileSync(join(folder, "long.tar")), "long.tar");
    expect([...files].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)])).toEqual([[long, "hello"]]);
  });

  test("cut anywhere, is refused or has only whole files", () => {
    const whole = parseTar(archive, "a.tar");
    for (let end = 0; end < archive.length; end += 211) {
      let files = new Map<string, Uint8Array>();
      try {
        files = parseTar(archive.subarray(0, end), "a.tar");
      } catch (error) {
        expect((error as Error).message).toMatch(/^a\.tar: damaged tar file: [^\n]+$/);
      }
      for (const [name, bytes] of files) expect(bytes).toEqual(whole.get(name));
    }
  });

  test("with any byte of a header changed, never reads beyond itself", () => {
    for (let at = 0; at < 512; at++) {
      for (const value of [0, 0x20, 0x37, 0x39, 0xff]) {
        const bad = archive.slice(0, 8192);
        bad[512 + at] = value;
        // The checksum is put right, so that the fields are read.
        const sum = bad.subarray(512, 1024).reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
        if (at < 148 || at >= 156)
          bad.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 512 + 148);
        try {
          for (const bytes of parseTar(bad, "a.tar").values()) expect(bytes.length).toBeLessThan(bad.length);
        } catch (error) {
          expect((error as Error).message).toMatch(/^a\.tar: damaged tar file: /);
        }
      }
    }
  });

  test.each([["something else", new Uint8Array(600).fill(1)]])("%s is refused", (_, bytes) => {
    expect(() => parseTar(bytes, "a.tar")).toThrow("a.tar: damaged tar file: no header at byte 0");
  });
});
