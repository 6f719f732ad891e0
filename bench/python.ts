import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "../src/data/cache.node.ts";

/** A Python that has PyTorch. */
export interface PythonWithTorch {
  readonly path: string;
  readonly torch: string;
}

export const INSTALL_HINT =
  "`npm run bench -- --install-peers` installs it with pip into a virtual environment of its own, or UNNOISE_PYTHON " +
  "names a python that has it";

/** Where --install-peers puts the peers. */
export function peersDirectory(environment = process.env): string {
  return join(cacheDirectory(environment), "peers");
}

function pythonIn(directory: string): string {
  return process.platform === "win32" ? join(directory, "Scripts", "python.exe") : join(directory, "bin", "python");
}

/** A system's python, under the names that it goes by. */
const SYSTEM_PYTHONS: readonly string[] = ["python3", "python"];

/** Looks the version up without importing PyTorch, which takes seconds. */
const PROBE = "import importlib.metadata as m; print(m.version('torch'))";

/**
 * The first Python that has PyTorch: the one of UNNOISE_PYTHON, of --install-peers, of the system.
 *
 * @throws Error if UNNOISE_PYTHON names one that has not
 */
export async function findPython(environment = process.env): Promise<PythonWithTorch | undefined> {
  const { UNNOISE_PYTHON: named } = environment;
  if (named !== undefined && named !== "") {
    const found = await probe(named);
    if (found) return found;
    throw new Error(`UNNOISE_PYTHON must be a python that has PyTorch, ${named} has none`);
  }
  const installed = pythonIn(peersDirectory(environment));
  for (const path of [...(existsSync(installed) ? [installed] : []), ...SYSTEM_PYTHONS]) {
    const found = await probe(path);
    if (found) return found;
  }
  return undefined;
}

async function probe(path: string): Promise<PythonWithTorch | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["-c", PROBE]);
    return /^\d+\./.test(stdout) ? { path, torch: stdout.trim() } : undefined;
  } catch {
    return undefined;
  }
}

/** Creates a virtual environment with PyTorch in it, outside of the repository; resolves with its directory. */
export async function installPeers(environment = process.env): Promise<string> {
  const directory = peersDirectory(environment);
  const python = await systemPython();
  if (!existsSync(pythonIn(directory))) await show(python, ["-m", "venv", directory]);
  await show(pythonIn(directory), ["-m", "pip", "install", "--upgrade", "torch", "numpy"]);
  return directory;
}

async function systemPython(): Promise<string> {
  for (const path of SYSTEM_PYTHONS) {
    try {
      await promisify(execFile)(path, ["--version"]);
      return path;
    } catch {
      // The next name may exist.
    }
  }
  throw new Error("PyTorch needs Python: install Python 3.10 or newer (https://python.org) and try again");
}

/** Runs a command whose output the user sees, on stderr. */
async function show(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: ["ignore", process.stderr, process.stderr] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${[file, ...args].join(" ")} failed (exit code ${code}); its message is above`);
}
