import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { open, readFile, realpath, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { errorCode, fileError } from "../io/file-errors.node.ts";

const NAME = "run.lock";
/** Milliseconds between the signs of life that a holder gives. */
const SIGN_MS = 20_000;
/** Milliseconds without one after which a holder that cannot be asked counts as dead. */
const SILENCE_MS = 120_000;

/** Who holds a lock. */
const holder = z.object({
  pid: z.int(),
  /** The machine and, in a container, the numbering that the pid belongs to. */
  host: z.string(),
  /** When the process started, where the system tells: a pid is used again. */
  start: z.nullable(z.string()),
  token: z.string(),
});
type Holder = z.infer<typeof holder>;

/** The locks of this process by directory: whoever locks one again takes it from the one before. */
const own = new Map<string, RunLock>();

/**
 * The right to write into a run directory. It ends with `release`, or with the process, however that ends: the file
 * `run.lock` that says who holds it counts for nothing once its process is gone.
 */
export class RunLock {
  readonly #directory: string;
  readonly #holder: Holder;
  readonly #signs: NodeJS.Timeout;
  readonly #onExit = (): void => this.#remove();

  private constructor(directory: string, holder: Holder) {
    this.#directory = directory;
    this.#holder = holder;
    const path = join(directory, NAME);
    this.#signs = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), SIGN_MS).unref();
    process.on("exit", this.#onExit);
  }

  /**
   * Locks a directory that is there.
   *
   * @throws Error of one line if another process holds it
   */
  static async take(directory: string): Promise<RunLock> {
    try {
      const place = await realpath(directory);
      own.get(place)?.release();
      const mine: Holder = { pid: process.pid, host, start: startOf(process.pid) ?? null, token: randomUUID() };
      await claim(join(place, NAME), directory, mine);
      const lock = new RunLock(place, mine);
      own.set(place, lock);
      return lock;
    } catch (error) {
      throw errorCode(error) === undefined ? error : fileError(join(directory, NAME), "write", error);
    }
  }

  /** @throws Error of one line if it was released, or taken since by someone else */
  async verify(): Promise<void> {
    const there = await holderIn(join(this.#directory, NAME));
    if (own.get(this.#directory) === this && there?.token === this.#holder.token) return;
    throw new Error(`${this.#directory}: another training has begun to write here, so this one writes no more`);
  }

  release(): void {
    if (own.get(this.#directory) === this) own.delete(this.#directory);
    clearInterval(this.#signs);
    process.off("exit", this.#onExit);
    this.#remove();
  }

  #remove(): void {
    const path = join(this.#directory, NAME);
    try {
      if (parsed(readFileSync(path, "utf8"))?.token === this.#holder.token) rmSync(path);
    } catch {
      // A lock that stays is known to be of a process that ended.
    }
  }
}

/** Whether a process that lives writes into a directory. */
export async function isLocked(directory: string): Promise<boolean> {
  const path = join(directory, NAME);
  return lives(await holderIn(path), path);
}

/** @throws Error of one line if another process writes into a directory */
export async function checkNotLocked(directory: string): Promise<void> {
  if (await isLocked(directory)) throw inUse(directory, await holderIn(join(directory, NAME)));
}

/** @throws Error of one line if a process that lives holds it, or is about to */
async function claim(path: string, name: string, mine: Holder): Promise<void> {
  while (!(await written(path, mine))) {
    const there = await holderIn(path);
    if (await lives(there, path)) throw inUse(name, there);
    // Of several that find it dead, who holds this lock puts its own in the place, if what is there is still the dead one's.
    const right = `${path}.${createHash("sha256")
      .update(there?.token ?? "")
      .digest("hex")
      .slice(0, 16)}`;
    await claim(right, name, mine);
    try {
      if (await isLeft(path, there)) return await replace(path, mine);
    } finally {
      await rm(right, { force: true });
    }
  }
}

async function isLeft(path: string, dead: Holder | undefined): Promise<boolean> {
  const there = await holderIn(path);
  if (!existsSync(path) || there?.token !== dead?.token) return false;
  return !(await lives(there, path));
}

/** In one step, so that nobody finds no lock meanwhile. */
async function replace(path: string, mine: Holder): Promise<void> {
  const whole = `${path}.${mine.token}`;
  await writeFile(whole, JSON.stringify(mine), { flag: "wx" });
  await rename(whole, path);
}

async function written(path: string, mine: Holder): Promise<boolean> {
  const file = await open(path, "wx").catch((error: unknown) => {
    if (errorCode(error) === "EEXIST") return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    await file.writeFile(JSON.stringify(mine));
    return true;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** Undefined where there is no such file, or one that is not written yet. */
async function holderIn(path: string): Promise<Holder | undefined> {
  return parsed(await readFile(path, "utf8").catch(() => ""));
}

function parsed(text: string): Holder | undefined {
  try {
    return holder.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function lives(there: Holder | undefined, path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return false;
  const gaveSign = Date.now() - status.mtimeMs < SILENCE_MS;
  if (there === undefined || there.host !== host) return gaveSign;
  if (!exists(there.pid)) return false;
  const start = startOf(there.pid);
  return start === undefined || there.start === null ? gaveSign : start === there.start;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** When a process that runs was started; undefined where the system does not say, as only Linux does. */
function startOf(pid: number): string | undefined {
  try {
    // The name before the last bracket may have anything in it. 3 is the state, 22 the start in ticks since the boot.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${fields[22 - 3]} ${fields[0] === "Z" ? "ended" : ""}`.trim();
  } catch {
    return undefined;
  }
}

const host = `${hostname()} ${numbering()}`.trim();

function numbering(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function inUse(directory: string, there: Holder | undefined): Error {
  const elsewhere = there === undefined || there.host === host ? "" : ` on ${there.host}`;
  const who = there === undefined ? "another process" : `process ${there.pid}${elsewhere}`;
  return new Error(`${directory}: ${who} is training there: wait until it ends, or name another directory`);
}
