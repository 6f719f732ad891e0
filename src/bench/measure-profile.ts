import { isProfiled, profileKernels } from "./profile.ts";
import type { KernelTiming } from "./profile.ts";
import type { Workload } from "./workload.ts";

/** Where the time of a program goes, and what the machine could do at most. */
export interface ProgramProfile {
  readonly name: string;
  /** Floating-point operations per second that the device reaches at most. */
  readonly peak: number;
  readonly kernels: readonly KernelTiming[];
}

export interface ProfileOptions {
  /** Measures the device's peak. */
  readonly peak: () => Promise<number>;
  /** How often every kernel is timed. */
  readonly rounds: number;
}

/**
 * Times the kernels of one step of a workload. The peak is measured before and after, so that a
 * neighbour on the machine hardly shifts it.
 */
export async function measureProfile(workload: Workload, options: ProfileOptions): Promise<ProgramProfile> {
  const { peak: measurePeak, rounds } = options;
  await workload.step();
  const runs = workload.lastRuns();
  const before = await measurePeak();
  const kernels: KernelTiming[] = [];
  for (const { executable, inputs } of runs) {
    if (!isProfiled(executable)) throw new Error(`${workload.title}: this device does not time kernels one by one`);
    const forwardContractions = workload.forwardContractions();
    kernels.push(...(await profileKernels(executable, inputs, { rounds, forwardContractions })));
  }
  const peak = Math.max(before, await measurePeak());
  return { name: workload.title, peak, kernels };
}
