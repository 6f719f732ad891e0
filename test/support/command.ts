import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line's entry, for Node. */
export const commandPath = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** A command in a folder keeps its cache there too, not in that of whoever runs the tests. */
export function commandEnvironment(folder: string): NodeJS.ProcessEnv {
  return { ...process.env, UNNOISE_CACHE: join(folder, "cache") };
}

/** Runs a script of Node in a folder, to its end. */
export async function runNode(folder: string, ...args: readonly string[]): Promise<Outcome> {
  const options = { cwd: folder, env: commandEnvironment(folder) };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, args, options)) };
  } catch (error) {
    return error as Outcome;
  }
}

/** Runs `unnoise` in a folder, to its end. */
export function runUnnoise(folder: string, ...args: readonly string[]): Promise<Outcome> {
  return runNode(folder, commandPath, ...args);
}
