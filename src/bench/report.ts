import type { ProgramProfile } from "./measure-profile.ts";
import { groupByKind } from "./profile.ts";
import type { KernelTiming, KindTiming } from "./profile.ts";
import type { BenchResult } from "./result.ts";

/** Speed of some work; null where there is none to speak of. */
export interface Rates {
  readonly flopsPerSecond: number | null;
  /** Of the peak that was measured beside it, 1 being all. */
  readonly shareOfPeak: number | null;
  readonly bytesPerSecond: number | null;
}

export type KindReport = KindTiming & Rates;
export type KernelReport = KernelTiming & Rates;

export interface ProfileReport {
  readonly name: string;
  /** Floating-point operations per second at most. */
  readonly peak: number;
  /** Of all kernels together. */
  readonly seconds: number;
  readonly kinds: readonly KindReport[];
  /** The slowest first. */
  readonly kernels: readonly KernelReport[];
}

/** What `--json` prints. */
export interface BenchReport {
  readonly results: readonly BenchResult[];
  readonly profiles: readonly ProfileReport[];
  /** The rows of the table of sizes, where it was measured. */
  readonly sizes?: readonly string[];
  /** Over these rows, how many times ours the best peer takes; null without a peer. */
  readonly geometricMeans?: Readonly<Record<string, number | null>>;
  readonly environment: Readonly<Record<string, string | number>>;
}

/** @param kernelCount how many of the slowest kernels to list */
export function profileReport({ name, peak, kernels }: ProgramProfile, kernelCount: number): ProfileReport {
  const slowest = kernels.toSorted((a, b) => b.seconds - a.seconds).slice(0, kernelCount);
  return {
    name,
    peak,
    seconds: kernels.reduce((total, { seconds }) => total + seconds, 0),
    kinds: groupByKind(kernels).map((kind) => withRates(kind, peak)),
    kernels: slowest.map((kernel) => withRates(kernel, peak)),
  };
}

interface Work {
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
}

function withRates<T extends Work>(work: T, peak: number): T & Rates {
  return { ...work, ...ratesOf(work, peak) };
}

export function ratesOf({ seconds, flops, bytes }: Work, peak: number): Rates {
  // Clocks of a browser or a busy machine may show no time at all for a small kernel.
  const perSecond = (amount: number): number | null => (seconds > 0 && amount > 0 ? amount / seconds : null);
  const flopsPerSecond = perSecond(flops);
  return {
    flopsPerSecond,
    shareOfPeak: flopsPerSecond === null ? null : flopsPerSecond / peak,
    bytesPerSecond: perSecond(bytes),
  };
}
