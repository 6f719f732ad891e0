import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { RunLock, checkNotLocked, isLocked } from "./run-lock.node.ts";

const folders: string[] = [];
const children: ChildProcess[] = [];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "unnoise-lock-"));
  folders.push(folder);
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const path of folders) await rm(path, { recursive: true });
});

/** A process that takes the lock when it is told to, says so, and waits. */
async function processAt(directory: string): Promise<{ take(): Promise<ChildProcess> }> {
  const module = fileURLToPath(new URL("run-lock.node.ts", import.meta.url));
  const script = `const { RunLock } = await import(${JSON.stringify(module)});
    console.log("ready");
    process.stdin.once("data", async () => {
      try { await RunLock.take(${JSON.stringify(directory)}); console.log("taken"); setInterval(() => {}, 1000); }
      catch (error) { console.log(error.message); process.exit(); }
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const says = async (expected: string): Promise<void> => {
    const [said] = (await once(child.stdout, "data")) as [Buffer];
    expect(said.toString()).toBe(`${expected}\n`);
  };
  await says("ready");
  return {
    async take() {
      child.stdin.write("take");
      await says("taken");
      return child;
    },
  };
}

const holderOf = async (directory: string): Promise<ChildProcess> => (await processAt(directory)).take();

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await once(child, "close");
}

const lockFile = (): string => join(folder, "run.lock");
const changeLock = async (changes: object): Promise<void> => {
  const known = JSON.parse(await readFile(lockFile(), "utf8")) as object;
  await writeFile(lockFile(), JSON.stringify({ ...known, token: "another", ...changes }));
};

describe("the lock of a run directory", { timeout: 30_000 }, () => {
  test("keeps another process out, by whatever name it knows the directory", async () => {
    const child = await holderOf(folder);
    const message = `${folder}: process ${child.pid} is training there: wait until it ends, or name another directory`;
    await expect(RunLock.take(folder)).rejects.toThrow(message);
    await expect(checkNotLocked(folder)).rejects.toThrow(message);
    const other = `${folder}-link`;
    folders.push(other);
    await symlink(folder, other);
    await expect(RunLock.take(other)).rejects.toThrow(`process ${child.pid} is training there`);
    await end(child, "SIGKILL");
  });

  test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)("is left behind by no process that %s ends", async (signal) => {
    await end(await holderOf(folder), signal);
    expect(await isLocked(folder)).toBe(false);
    const lock = await RunLock.take(folder);
    await lock.verify();
    lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test.runIf(process.platform === "linux")("is free once its process's number belongs to another", async () => {
    const lock = await RunLock.take(folder);
    await changeLock({ pid: process.ppid });
    expect(await isLocked(folder)).toBe(false);
    await expect(lock.verify()).rejects.toThrow("another training has begun to write here");
    await (await RunLock.take(folder)).verify();
  });

  test("of another machine holds while that gives signs of life", async () => {
    await RunLock.take(folder);
    await changeLock({ host: "elsewhere" });
    await expect(checkNotLocked(folder)).rejects.toThrow(/process \d+ on elsewhere is training there/);
    const old = new Date(Date.now() - 300_000);
    await utimes(lockFile(), old, old);
    expect(await isLocked(folder)).toBe(false);
  });

  test("that nobody finished writing is free after a while", async () => {
    await writeFile(lockFile(), '{"pid":');
    expect(await isLocked(folder)).toBe(true);
    const old = new Date(Date.now() - 300_000);
    await utimes(lockFile(), old, old);
    await (await RunLock.take(folder)).verify();
  });

  test("goes to one of several that find it left behind", async () => {
    await end(await holderOf(folder), "SIGKILL");
    const processes = await Promise.all([1, 2, 3, 4, 5].map(() => processAt(folder)));
    const attempts = await Promise.allSettled(processes.map((process) => process.take()));
    const holders = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    expect(holders).toHaveLength(1);
    expect(await readdir(folder)).toEqual(["run.lock"]);
    expect(await isLocked(folder)).toBe(true);
    for (const child of holders) await end(child, "SIGKILL");
  });
});
