import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idxPair } from "../data/idx.node.ts";
import { readCheckpoint, RunDirectory } from "../checkpoint/run-directory.node.ts";
import { decodeImage } from "./images/images.node.ts";
import { readJson } from "./json.node.ts";
import { readRegularFile } from "./regular-file.node.ts";
import { readSafetensorsHeader } from "./safetensors/safetensors.node.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "unnoise-regular-"));
  execFileSync("mkfifo", [join(folder, "pipe"), join(folder, "metrics.jsonl")]);
  symlinkSync(join(folder, "pipe"), join(folder, "link"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readers: Record<string, (path: string) => Promise<unknown>> = {
  "a checkpoint": readCheckpoint,
  "a header": readSafetensorsHeader,
  "an image": async (path) => decodeImage(path, { width: 2, height: 2, channels: 1 }),
  "an IDX file": async (path) => idxPair({ images: path }),
  JSON: readJson,
};

describe("what is no regular file is refused at once", () => {
  test.each(Object.entries(readers))("as %s", async (_, read) => {
    const line = (path: string, what: string) => new Error(`${path}: cannot read: it is ${what}`);
    for (const name of ["pipe", "link"]) {
      const path = join(folder, name);
      await expect(read(path)).rejects.toThrow(line(path, "a pipe, not a regular file"));
    }
    await expect(read("/dev/zero")).rejects.toThrow(line("/dev/zero", "a device, not a regular file"));
    await expect(read(folder)).rejects.toThrow(line(folder, "a directory"));
  });

  test("as the metrics of a run", async () => {
    await expect(new RunDirectory(folder).metrics().next()).rejects.toThrow(
      `${join(folder, "metrics.jsonl")}: cannot read: it is a pipe, not a regular file`,
    );
  });

  test("a socket", async () => {
    const path = join(folder, "socket");
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once("listening", resolve));
    // The system does not even open it.
    await expect(readRegularFile(path)).rejects.toThrow(`${path}: cannot read: `);
    server.close();
  });
});

test("a regular file is read whole, also through a link, and an empty one is empty", async () => {
  writeFileSync(join(folder, "file"), "abc");
  writeFileSync(join(folder, "empty"), "");
  symlinkSync(join(folder, "file"), join(folder, "to-file"));
  expect(new TextDecoder().decode(await readRegularFile(join(folder, "to-file")))).toBe("abc");
  expect(await readRegularFile(join(folder, "empty"))).toHaveLength(0);
});
