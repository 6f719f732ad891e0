import type { Features } from "../backend/wasm/module.ts";
import { measurePeak } from "./peak.node.ts";
import { isProfiled, profileKernels } from "./profile.ts";
import type { KernelTiming } from "./profile.ts";
import type { Workload } from "./workload.ts";

/** Where the time of a program goes, and what the machine could do at most. */
export interface ProgramProfile {
  readonly name: string;
  /** Floating-point operations per second that all threads together reach at most, with vectors as wide as the program's. */
  readonly peak: number;
  readonly kernels: readonly KernelTiming[];
}

export interface ProfileOptions {
  /** Of the wasm backend that the workload runs on. */
  readonly features: Features;
  readonly threads: number;
  /** How often every kernel is timed. */
  readonly rounds: number;
}

/**
 * Times the kernels of one step of a workload on the wasm backend. The peak is measured before and after, so that a
 * neighbour on the machine hardly shifts it.
 */
export async function measureProfile(workload: Workload, options: ProfileOptions): Promise<ProgramProfile> {
  const { features, threads, rounds } = options;
  await workload.step();
  const runs = workload.lastRuns();
  const before = await measurePeak(features, threads);
  const kernels: KernelTiming[] = [];
  for (const { executable, inputs } of runs) {
    if (!isProfiled(executable)) throw new Error(`${workload.title}: this device does not time kernels one by one`);
    const forwardContractions = workload.forwardContractions();
    kernels.push(...(await profileKernels(executable, inputs, { rounds, forwardContractions })));
  }
  const peak = Math.max(before, await measurePeak(features, threads));
  return { name: workload.title, peak, kernels };
}
