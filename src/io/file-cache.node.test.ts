import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileCache } from "./file-cache.node.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "unnoise-cache-"));
});
afterEach(() => rm(directory, { recursive: true }));

const bytes = Uint8Array.of(3, 1, 4, 1, 5);

test("gives back what was written, in another process too", async () => {
  await new FileCache(join(directory, "new")).write("pi", bytes);
  expect(await new FileCache(join(directory, "new")).read("pi")).toEqual(bytes);
  expect(await new FileCache(join(directory, "new")).read("e")).toBeUndefined();
});

test("does not give back what was changed or cut off", async () => {
  const cache = new FileCache(directory);
  await cache.write("pi", bytes);
  const path = join(directory, "pi");
  const content = await readFile(path);
  await writeFile(path, content.with(content.length - 1, 9));
  expect(await cache.read("pi")).toBeUndefined();
  await writeFile(path, content.subarray(0, 12));
  expect(await cache.read("pi")).toBeUndefined();
  await writeFile(path, content);
  expect(await cache.read("pi")).toEqual(bytes);
});

test("forgets the files that were not used for longest", async () => {
  const cache = new FileCache(directory, 2);
  await cache.write("a", bytes);
  await cache.write("b", bytes);
  await utimes(join(directory, "a"), 1, 1);
  await utimes(join(directory, "b"), 2, 2);
  await cache.read("a");
  await cache.write("c", bytes);
  expect((await readdir(directory)).toSorted()).toEqual(["a", "c"]);
});

test("does without a directory that cannot be written", async () => {
  await writeFile(join(directory, "file"), "");
  const cache = new FileCache(join(directory, "file"));
  await cache.write("pi", bytes);
  expect(await cache.read("pi")).toBeUndefined();
});
