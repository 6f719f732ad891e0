import type { Backend } from "../../../backend/backend.ts";
import { hardwareThreads } from "../../../backend/wasm/runtime/platform.node.ts";
import { WasmBackend } from "../../../backend/wasm/wasm-backend.ts";
import { WebGpuBackend } from "../../../backend/webgpu/webgpu-backend.ts";
import { benchEnvironment } from "../../../bench/environment.node.ts";
import { measureProfile } from "../../../bench/measure-profile.ts";
import { measurePeak } from "../../../bench/peak.node.ts";
import { profileReport } from "../../../bench/report.ts";
import type { BenchReport, ProfileReport } from "../../../bench/report.ts";
import { benchResult } from "../../../bench/result.ts";
import type { BenchResult } from "../../../bench/result.ts";
import type { SizeName } from "../../../bench/sizes.ts";
import { measureWebGpuPeak } from "../../../bench/webgpu-peak.ts";
import { Workload } from "../../../bench/workload.ts";
import type { WorkloadName } from "../../../bench/workload-names.ts";
import { formatRate, formatSeconds, kernelTable, kindTable } from "./report.ts";
import { describeDevice, withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { formatTable } from "../../output/format.ts";
import { print, printText } from "../../output/print.ts";

export interface BenchFlags extends DeviceFlags {
  readonly only: readonly WorkloadName[];
  readonly rounds: number;
  readonly size: SizeName;
  readonly batchSize?: number;
  /** True leaves the number open. */
  readonly kernels?: number | true;
  readonly json?: boolean;
}

const DEFAULT_KERNELS = 30;
/** Steps before the timed ones: code is compiled and optimised during these. */
const WARM_UP_STEPS = 3;

/** Times every workload that is asked for and prints what it found. */
export async function benchRun(flags: BenchFlags): Promise<void> {
  const measure = async (backend: Backend): Promise<void> => {
    const isTable = flags.json !== true;
    if (isTable) print(`${describeDevice(backend)}; Node ${process.version}`);
    const results: BenchResult[] = [];
    const profiles: ProfileReport[] = [];
    for (const name of flags.only) {
      const workload = new Workload(backend, name, flags);
      const result = await time(workload, flags.rounds);
      if (isTable) printText(`\n${speedTable(workload, result)}`);
      const profile = await profileOn(backend, workload, flags);
      if (isTable && profile) for (const table of tablesOf(profile)) printText(`\n${table}`);
      results.push(result);
      if (profile) profiles.push(profile);
    }
    const environment = { ...benchEnvironment(), device: backend.description };
    const report: BenchReport = { results, profiles, environment };
    if (!isTable) printText(JSON.stringify(report, undefined, 2));
  };
  await withDevice(flags, measure);
}

async function time(workload: Workload, rounds: number): Promise<BenchResult> {
  const seconds: number[] = [];
  for (let step = -WARM_UP_STEPS; step < rounds; step++) {
    const taken = await workload.step();
    if (step >= 0) seconds.push(taken);
  }
  return benchResult(workload.title, "s", seconds);
}

/** Undefined on a device that does not time kernels. */
async function profileOn(
  backend: Backend,
  workload: Workload,
  { rounds, kernels, threads }: BenchFlags,
): Promise<ProfileReport | undefined> {
  const peak = peakOf(backend, threads);
  if (!peak) return undefined;
  const profile = await measureProfile(workload, { peak, rounds });
  return profileReport(profile, kernels === true ? DEFAULT_KERNELS : (kernels ?? 0));
}

function peakOf(backend: Backend, threads: number | undefined): (() => Promise<number>) | undefined {
  if (backend instanceof WebGpuBackend && backend.device.features.has("timestamp-query"))
    return () => measureWebGpuPeak(backend.device);
  if (!(backend instanceof WasmBackend)) return undefined;
  const count = threads ?? Number(process.env.UNNOISE_THREADS ?? hardwareThreads());
  return () => measurePeak(backend.features, count);
}

function speedTable({ title, flops, batchSize }: Workload, { ours: { median, min, max } }: BenchResult): string {
  const header = [title, "median", "min", "max", "GFLOP/s", "images/s"];
  const rates = [flops / median / 1e9, batchSize / median].map(formatRate);
  return formatTable([header, ["", ...[median, min, max].map(formatSeconds), ...rates]]);
}

function tablesOf(profile: ProfileReport): string[] {
  return profile.kernels.length > 0 ? [kindTable(profile), kernelTable(profile)] : [kindTable(profile)];
}
