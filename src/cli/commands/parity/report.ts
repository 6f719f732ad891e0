import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileError } from "../../../io/file-errors.node.ts";
import { readJson } from "../../../io/json.node.ts";
import { readSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import { runParity } from "../../../parity/parity.ts";
import type { ParityReport } from "../../../parity/parity.ts";
import type { ParityFiles } from "../../../parity/parity-case.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { formatTable } from "../../output/format.ts";
import { printText } from "../../output/print.ts";

export interface ParityFlags extends DeviceFlags {
  readonly json?: boolean;
}

/**
 * Runs every case of a directory and prints what it found.
 *
 * @returns the exit code: 1 if anything is beyond its tolerance
 */
export async function parityReport(directory: string, flags: ParityFlags): Promise<number> {
  const folders = await caseFolders(directory);
  return withDevice(flags, async (backend) => {
    const reports: ParityReport[] = [];
    for (const folder of folders) reports.push(...(await runParity(await readCase(folder), backend)));
    const pass = reports.every(({ checks }) => checks.every((check) => check.pass));
    const object = { device: backend.name, pass, reports };
    printText(flags.json === true ? JSON.stringify(object, undefined, 2) : asTable(object));
    return pass ? 0 : 1;
  });
}

async function caseFolders(directory: string): Promise<string[]> {
  const isCase = (folder: string): boolean => existsSync(join(folder, "meta.json"));
  if (isCase(directory)) return [directory];
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    const cases = folders.filter(isCase).toSorted();
    if (cases.length > 0) return cases;
  } catch (error) {
    throw fileError(directory, "list", error);
  }
  throw new Error(`${directory}: no case there; a case is a directory with a meta.json`);
}

async function readCase(folder: string): Promise<ParityFiles> {
  const weights = await readSafetensors(join(folder, "unet.safetensors"));
  const io = await readSafetensors(join(folder, "unet_io.safetensors"));
  return { name: basename(resolve(folder)), meta: await readJson(join(folder, "meta.json")), weights, io };
}

function asTable({
  device,
  pass,
  reports,
}: {
  device: string;
  pass: boolean;
  reports: readonly ParityReport[];
}): string {
  const rows = reports.flatMap((report) =>
    report.checks.map(({ name, largestDifference, tolerance, pass, detail }) => {
      const numbers = [largestDifference.toExponential(2), tolerance === 0 ? "0" : tolerance.toExponential(0)];
      return [report.case, report.variant, name, ...numbers, pass ? "ok" : "BEYOND", detail];
    }),
  );
  const header = ["case", "variant", "check", "largest difference", "tolerance", "", "of"];
  const verdict = pass ? "everything is within its tolerance" : "some differences are beyond their tolerance";
  return `${formatTable([header, ...rows], [0, 1, 2, 5, 6])}\n\n${device}: ${verdict}`;
}
