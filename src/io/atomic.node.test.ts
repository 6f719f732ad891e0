import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomic } from "./atomic.node.ts";
import { fileError } from "./file-errors.node.ts";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors/safetensors.node.ts";
import type { SafeTensor } from "./safetensors/safetensors.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "unnoise-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a file is written whole and nothing else is left", async () => {
  const path = join(folder, "a.bin");
  await writeFileAtomic(path, "before");
  await writeFileAtomic(path, new Uint8Array([1, 2, 3]));
  expect([...readFileSync(path)]).toEqual([1, 2, 3]);
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("a link stays a link to the new content", async () => {
  symlinkSync("real.txt", join(folder, "link.txt"));
  writeFileSync(join(folder, "real.txt"), "old");
  await writeFileAtomic(join(folder, "link.txt"), "new");
  expect(readFileSync(join(folder, "real.txt"), "utf8")).toBe("new");
  expect(readdirSync(folder).toSorted()).toEqual(["link.txt", "real.txt"]);
});

test.each([
  ["missing/a.bin", "cannot write: no such file or directory"],
  ["folder", "cannot write: it is not a regular file"],
  ["file/a.bin", "cannot write: a part of the path is not a directory"],
])("%s: %s", async (name, message) => {
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "file"), "");
  const path = join(folder, name);
  await expect(writeFileAtomic(path, "x")).rejects.toThrow(`${path}: ${message}`);
  expect(readdirSync(folder).toSorted()).toEqual(["file", "folder"]);
});

test("a device is never replaced by a file", async () => {
  await expect(writeFileAtomic("/dev/null", "x")).rejects.toThrow("/dev/null: cannot write: it is not a regular file");
});

test.skipIf(process.getuid?.() === 0)("a directory without permission (skipped for root, who has it)", async () => {
  chmodSync(folder, 0o500);
  await expect(writeFileAtomic(join(folder, "a"), "x")).rejects.toThrow("cannot write: permission denied");
  chmodSync(folder, 0o700);
});

test("when the disk ends in the middle of a write, the old file stays and the temporary one goes", () => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  const script = `
    import { writeFileAtomic } from ${JSON.stringify(new URL("atomic.node.ts", import.meta.url).href)};
    await writeFileAtomic(${JSON.stringify(path)}, new Uint8Array(1 << 20)).catch((error) => console.log(error.message));
  `;
  // A limit on the size of files stops the write after 8 to 64 KiB, as a full disk would.
  const command = `ulimit -f 64; exec "$0" --input-type=module --eval "$1"`;
  const { stdout } = spawnSync("sh", ["-c", command, process.execPath, script], { encoding: "utf8" });
  expect(stdout).toBe(`${path}: cannot write: larger than the limit for a file here\n`);
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("a full disk has its own line", () => {
  const cause = Object.assign(new Error("ENOSPC: no space left on device, write\nmore"), { code: "ENOSPC" });
  expect(fileError("a.bin", "write", cause).message).toBe("a.bin: cannot write: no space left on the device");
});

test("safetensors pass through a file", async () => {
  const path = join(folder, "a.safetensors");
  const tensors = new Map<string, SafeTensor>([
    ["w", { dtype: "F32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) }],
    ["steps", { dtype: "I64", shape: [], data: new BigInt64Array([5n]) }],
  ]);
  await writeSafetensors(path, tensors, { format: "pt" });
  const back = await readSafetensors(path);
  expect(Object.fromEntries(back.tensors)).toEqual(Object.fromEntries(tensors));
  expect(back.metadata).toEqual({ format: "pt" });
  const header = await readSafetensorsHeader(path);
  expect(header.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ["steps", []],
    ["w", [2, 2]],
  ]);
});

test("errors of reading name the file once", async () => {
  const path = join(folder, "a.safetensors");
  await expect(readSafetensors(path)).rejects.toThrow(`${path}: cannot read: no such file or directory`);
  await expect(readSafetensors(folder)).rejects.toThrow(`${folder}: cannot read: it is a directory`);
  writeFileSync(path, "");
  await expect(readSafetensors(path)).rejects.toThrow(new Error(`${path}: not a safetensors file, but an empty file`));
  writeFileSync(path, "<!DOCTYPE html><html></html>");
  await expect(readSafetensors(path)).rejects.toThrow(`${path}: not a safetensors file, but a web page: `);
});
