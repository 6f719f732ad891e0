import { createHash, randomUUID } from "node:crypto";
import type { Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { errorCode, fileError } from "../../io/file-errors.node.ts";
import { pieces } from "../source/pieces.ts";

/** Content that is to be fetched, and whose name tells what it is. */
export interface WantedContent {
  /** Where it goes; the folder is there. Its last part is the content's etag. */
  readonly target: string;
  readonly bytes: number;
  /** For messages. */
  readonly name: string;
  /** Asks for it from a byte on. */
  readonly ask: (from: number) => Promise<Response>;
  readonly onBytes?: ((received: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two looks at what another process is fetching. */
const LOOK_MS = 100;
/** Milliseconds after which nobody writes any more into a file that does not grow. */
const SILENCE_MS = 120_000;
/** Parts of files are named <etag>.<process>-<machine>.<random>.incomplete. */
const ENDING = ".incomplete";
const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** Those that this process writes. */
const own = new Set<string>();

/**
 * Fetches content to its place, whole or not at all. What a process that was stopped has left of it is gone on with; what
 * another process is fetching is waited for. The content is checked against its name.
 *
 * @throws Error of one line; the reason of `signal`
 */
export async function fetchContent(wanted: WantedContent): Promise<void> {
  const { target, bytes, signal, onBytes } = wanted;
  for (;;) {
    if (await isComplete(target, bytes)) return;
    const part = await takePart(target);
    if (part.isOurs) return finish(part.path, wanted);
    onBytes?.(await sizeOf(part.path));
    await pause(LOOK_MS, undefined, { signal });
  }
}

async function finish(part: string, wanted: WantedContent): Promise<void> {
  const { target, name } = wanted;
  try {
    // What was left may be damaged; then it is fetched anew.
    if (!(await append(part, wanted)) && !(await append(part, wanted))) {
      throw new Error(`${name}: what arrives is not what the hub announced: its checksum differs`);
    }
    await rename(part, target);
  } catch (error) {
    throw errorCode(error) === undefined ? error : fileError(target, "write", error);
  } finally {
    own.delete(part);
  }
}

/** Fetches what is missing of a part. @returns whether it is now what it should be; otherwise nothing is left of it */
async function append(part: string, { target, bytes, name, ask, onBytes, signal }: WantedContent): Promise<boolean> {
  const digest = new ContentDigest(basename(target), bytes);
  const file = await open(part, "a");
  try {
    let { size: received } = await file.stat();
    if (received > bytes) {
      await file.truncate(0);
      received = 0;
    }
    if (received > 0) for await (const piece of createReadStream(part)) digest.update(piece as Uint8Array);
    onBytes?.(received);
    if (received < bytes) {
      const first = await ask(received);
      for await (const piece of pieces(first, ask, { from: received, bytes, name, signal })) {
        await file.writeFile(piece);
        digest.update(piece);
        received += piece.length;
        onBytes?.(received);
      }
    }
    if (digest.fits()) {
      await file.sync();
      return true;
    }
    await file.truncate(0);
    return false;
  } finally {
    await file.close();
  }
}

/** Compares content with the name that the hub gives it. */
class ContentDigest {
  readonly #etag: string;
  readonly #hash: Hash | undefined;

  constructor(etag: string, bytes: number) {
    this.#etag = etag;
    if (/^[0-9a-f]{64}$/.test(etag)) this.#hash = createHash("sha256");
    // What git hashes of a file.
    else if (/^[0-9a-f]{40}$/.test(etag)) this.#hash = createHash("sha1").update(`blob ${bytes}\0`);
  }

  update(piece: Uint8Array): void {
    this.#hash?.update(piece);
  }

  /** True where the name is no checksum. */
  fits(): boolean {
    return this.#hash === undefined || this.#hash.digest("hex") === this.#etag;
  }
}

interface Part {
  readonly path: string;
  /** Whether this process alone writes into it now. */
  readonly isOurs: boolean;
}

/** A part to write into: one that somebody has left, or a new one; or else the one that another process is writing. */
async function takePart(target: string): Promise<Part> {
  const folder = dirname(target);
  const ours = join(folder, `${basename(target)}.${process.pid}-${machine}.${randomUUID().slice(0, 8)}${ENDING}`);
  own.add(ours);
  for (const other of await partsOf(target)) {
    if (await isWritten(other)) {
      own.delete(ours);
      return { path: other, isOurs: false };
    }
    // Of several that find it left, one moves it.
    const isTaken = await rename(other, ours).then(
      () => true,
      () => false,
    );
    if (isTaken) return { path: ours, isOurs: true };
  }
  await (await open(ours, "wx")).close();
  // Of several that begin at once, the first by name goes on.
  for (const other of await partsOf(target)) {
    if (other >= ours || !(await isWritten(other))) continue;
    await unlink(ours);
    own.delete(ours);
    return { path: other, isOurs: false };
  }
  return { path: ours, isOurs: true };
}

async function partsOf(target: string): Promise<string[]> {
  const folder = dirname(target);
  const names = await readdir(folder);
  const parts = names.filter((name) => name.startsWith(`${basename(target)}.`) && writerOf(name) !== undefined);
  return parts.map((name) => join(folder, name)).toSorted();
}

function writerOf(path: string): { readonly pid: number; readonly machine: string } | undefined {
  const [, pid, where] = /\.(\d+)-([0-9a-f]{8})\.[0-9a-f]{8}\.incomplete$/.exec(path) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), machine: where };
}

/** Whether somebody is writing into a part. */
async function isWritten(path: string): Promise<boolean> {
  const writer = writerOf(path);
  const status = await stat(path).catch(() => undefined);
  if (writer === undefined || status === undefined) return false;
  if (writer.machine === machine) {
    if (writer.pid === process.pid) return own.has(path);
    if (!isRunning(writer.pid)) return false;
  }
  return Date.now() - status.mtimeMs < SILENCE_MS;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

async function isComplete(path: string, bytes: number): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status?.isFile() === true && status.size === bytes;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
