import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Launcher } from "./launcher.ts";

/** What starts the processes of an MPI job: the library that belongs to it lies beside. */
const STARTERS = ["mpirun", "mpiexec"];

/**
 * Where the MPI library of a launcher may be, the likeliest first. It has to be the launcher's own: with another one
 * every process takes itself for the only one.
 */
export function libraryCandidates(launcher: Launcher | undefined): string[] {
  const { UNNOISE_MPI: given, PATH = "" } = process.env;
  if (given !== undefined && given !== "") return [given];
  const names = launcher?.libraries ?? [];
  const withStarter = PATH.split(delimiter).filter((folder) => STARTERS.some((name) => existsSync(join(folder, name))));
  const prefixes = [...ancestors(), ...withStarter].map(dirname);
  const folders = [...new Set(prefixes)].flatMap((prefix) => [join(prefix, "lib"), join(prefix, "lib64")]);
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).filter((path) => existsSync(path));
  // Then what the system's loader knows by name.
  return [...found, ...names];
}

/** The folders of the programs that started this process, which are known on Linux. */
function ancestors(): string[] {
  const folders: string[] = [];
  try {
    for (let pid = process.ppid; pid > 1;) {
      folders.push(dirname(readlinkSync(`/proc/${pid}/exe`)));
      // The name before the last bracket may have anything in it; the parent comes second after it.
      pid = Number(
        readFileSync(`/proc/${pid}/stat`, "utf8")
          .replace(/^.*\) /s, "")
          .split(" ")[1],
      );
    }
  } catch {
    // One of another user says nothing, and neither does another system.
  }
  return folders;
}
