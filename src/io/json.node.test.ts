import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJson } from "./json.node.ts";

describe("a JSON file", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "unnoise-json-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("is read as what it holds", async () => {
    const path = join(folder, "good.json");
    await writeFile(path, '{"a": [1, null, "é"]}\n');
    expect(await readJson(path)).toEqual({ a: [1, null, "é"] });
  });

  test.each(["", "garbage\nof two lines", '{"a": 1'])("of %j is refused in one line", async (text) => {
    const path = join(folder, "bad.json");
    await writeFile(path, text);
    await expect(readJson(path)).rejects.toThrow(new Error(`${path}: not JSON`));
  });

  test("that is missing, or a directory, is named", async () => {
    const path = join(folder, "none.json");
    await expect(readJson(path)).rejects.toThrow(new Error(`${path}: cannot read: no such file or directory`));
    await expect(readJson(folder)).rejects.toThrow(new Error(`${folder}: cannot read: it is a directory`));
  });
});
