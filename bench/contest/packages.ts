import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "../../src/data/published/cache.node.ts";
import type { Library } from "./libraries.ts";

/** Where a library's packages are. */
export interface Found {
  /** A Python that has those of pip; without any, any. */
  readonly python: string;
  /** The directory whose node_modules has those of npm. */
  readonly npm: string;
}

/** What a library lacks, as a line for people. */
export interface Absent {
  readonly absence: string;
}

/** A virtual environment, where --install-peers puts packages of pip. */
function environmentDirectory(environment: NodeJS.ProcessEnv): string {
  return join(cacheDirectory(environment), "peers");
}

function npmDirectory(environment: NodeJS.ProcessEnv): string {
  return join(environmentDirectory(environment), "npm");
}

function pythonIn(directory: string): string {
  return process.platform === "win32" ? join(directory, "Scripts", "python.exe") : join(directory, "bin", "python");
}

/** A system's python, under the names that it goes by. */
const SYSTEM_PYTHONS: readonly string[] = ["python3", "python"];

/** Prints which packages are missing, without importing them, which takes seconds. */
const PROBE = `
import importlib.metadata, sys
def lacks(name):
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return True
print(*filter(lacks, sys.argv[1:]))
`;

/**
 * Looks for a library's packages: in the Python of UNNOISE_PYTHON, of --install-peers, of the system, and in the
 * directory of --install-peers.
 *
 * @param id what --peers calls the library
 * @throws Error if UNNOISE_PYTHON is no Python
 */
export async function findLibrary(
  id: string,
  { name, pip, npm }: Library,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Found | Absent> {
  const directory = npmDirectory(environment);
  const packages = Object.keys(pip);
  const python = await findPython(packages, environment);
  const missing = Object.keys(npm).filter((name) => !existsSync(join(directory, "node_modules", name)));
  if (python !== undefined && missing.length === 0) return { python, npm: directory };
  const install = `\`npm run bench -- --install-peers --peers ${id}\` installs it outside of the repository`;
  const named = packages.length > 0 ? `, or UNNOISE_PYTHON names a python that has ${packages.join(", ")}` : "";
  return { absence: `${name} is absent, so it does not take part: ${install}${named}` };
}

/** The first Python that has some packages. */
async function findPython(packages: readonly string[], environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (packages.length === 0) return SYSTEM_PYTHONS[0];
  const { UNNOISE_PYTHON: named = "" } = environment;
  const installed = pythonIn(environmentDirectory(environment));
  const candidates = [named, installed, ...SYSTEM_PYTHONS].filter((path) => path !== "");
  for (const path of candidates) {
    const missing = await missingPackages(path, packages);
    if (missing === "") return path;
    if (path === named && missing === undefined) throw new Error(`UNNOISE_PYTHON must be a python, got ${named}`);
  }
  return undefined;
}

/** Undefined if it is no Python. */
async function missingPackages(python: string, packages: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(python, ["-c", PROBE, ...packages]);
    return stdout.trim();
  } catch {
    return undefined;
  }
}

/** Installs the packages of libraries outside of the repository; resolves with the directory. */
export async function installLibraries(
  libraries: readonly Library[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const directory = environmentDirectory(environment);
  const pip = pinned(
    "==",
    libraries.map(({ pip }) => pip),
  );
  if (pip.length > 0) {
    if (!existsSync(pythonIn(directory))) await show(await systemPython(), ["-m", "venv", directory]);
    await show(pythonIn(directory), ["-m", "pip", "install", ...pip]);
  }
  const npm = pinned(
    "@",
    libraries.map(({ npm }) => npm),
  );
  if (npm.length > 0) await installWithNpm(npm, npmDirectory(environment));
  return directory;
}

/** ["numpy==2.4.6", ...] */
function pinned(sign: string, packages: readonly Readonly<Record<string, string>>[]): string[] {
  const versions = Object.entries(Object.assign({}, ...packages) as Record<string, string>);
  return versions.map(([name, version]) => `${name}${sign}${version}`);
}

/** Without install scripts: some would download what only a GPU needs. */
async function installWithNpm(packages: readonly string[], directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const args = ["install", "--prefix", directory, "--ignore-scripts", "--no-audit", "--no-fund", ...packages];
  // The npm that runs us; it is a script of Node's.
  const { npm_execpath: script = "" } = process.env;
  await (/npm-cli\.c?js$/.test(script) ? show(process.execPath, [script, ...args]) : show("npm", args));
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
  throw new Error("these peers need Python: install Python 3.11 or newer (https://python.org) and try again");
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
