import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { npmInstall, shell } from "./npm.ts";

interface Manifest {
  readonly engines: { readonly node: string };
}

/** The oldest version that package.json promises to run on, as [major, minor]. */
export const OLDEST_NODE = oldestPromised();

function oldestPromised(): readonly [major: number, minor: number] {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Manifest;
  const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node) ?? [];
  if (minor === undefined)
    throw new Error(`package.json: engines.node must be >=MAJOR.MINOR: ${manifest.engines.node}`);
  return [Number(major), Number(minor)];
}

/** The machine's own Node, where it is another than this one and one that is promised. */
export function machineNode(): string | undefined {
  try {
    const report = execFileSync("node", ["-p", "process.execPath + '\\n' + process.version"], {
      env: shell(),
      encoding: "utf8",
    });
    const [path = "", version = ""] = report.trim().split("\n");
    const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
    const isPromised = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
    return isPromised && path !== process.execPath ? path : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Brings a version of Node from npm into a folder; returns the program's path.
 *
 * @throws RegistryUnreachable if npm's registry does not deliver it
 */
export async function fetchNode(folder: string, version: string): Promise<string> {
  const system = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${system}-${process.arch}`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
  await npmInstall(folder, [`${name}@${version}`]);
  return join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
}
