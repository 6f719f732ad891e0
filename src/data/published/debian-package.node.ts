import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { errorCode, errorLine } from "../../io/file-errors.node.ts";

/** Milliseconds without a byte after which a download is given up. */
const stallMs = 10_000;
const aptOptions = ["Acquire::http::Timeout=5", "Acquire::https::Timeout=5", "Acquire::Retries=0"];

/**
 * Downloads a Debian package with apt and unpacks it, without installing anything and without root.
 *
 * @param use Is given the directory that stands for the package's root; it is removed afterwards.
 * @throws Error of one line, where there is no apt, no network, or no such package.
 */
export async function withDebianPackage<T>(name: string, use: (root: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "unnoise-"));
  try {
    const abort = new AbortController();
    const watch = watchGrowth(directory, () => abort.abort());
    try {
      const options = aptOptions.flatMap((option) => ["-o", option]);
      await runCommand("apt-get", ["-q", ...options, "download", name], directory, abort.signal);
    } finally {
      clearInterval(watch);
    }
    const file = (await readdir(directory)).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw new Error(`apt-get brought no package ${name}`);
    const root = join(directory, "root");
    await runCommand("dpkg-deb", ["-x", file, root], directory);
    return await use(root);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runCommand(
  command: string,
  commandArguments: string[],
  cwd: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await promisify(execFile)(command, commandArguments, { cwd, signal, env: { ...process.env, LC_ALL: "C" } });
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") throw new Error(`${command} is not installed`, { cause: error });
    if (code === "ABORT_ERR") throw new Error(`${command}: no more bytes for ${stallMs / 1000} s`, { cause: error });
    const printed = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    const line = printed.split("\n").find((text) => /^(E|Err|dpkg-deb: error):/.test(text));
    throw new Error(`${command}: ${line ?? errorLine(error)}`, { cause: error });
  }
}

function watchGrowth(directory: string, onStall: () => void): NodeJS.Timeout {
  let size = 0;
  let grownAt = Date.now();
  const look = async (): Promise<void> => {
    const now = await sizeOf(directory).catch(() => size);
    if (now > size) grownAt = Date.now();
    else if (Date.now() - grownAt > stallMs) onStall();
    size = now;
  };
  return setInterval(() => void look(), 1000);
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(entries.map(async (entry) => (await stat(join(directory, entry))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
