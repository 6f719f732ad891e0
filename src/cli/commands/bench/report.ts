import type { ProfileReport, Rates } from "../../../bench/report.ts";
import type { BenchResult, Unit } from "../../../bench/result.ts";
import type { Spread } from "../../../bench/statistics.ts";
import { formatBytes, formatTable } from "../../output/format.ts";

/** One comparison as lines for people: ours, then everybody else with how much longer they took. */
export function resultTable({ name, unit, ours, peers, ratio }: BenchResult): string {
  const rows = [
    [name, "median", "min", "max", ""],
    spreadRow("unnoise", ours, unit, ""),
    ...Object.entries(peers).map(([peer, spread]) => {
      const note = spread.counts ? "" : " (less precision)";
      return spreadRow(peer, spread, unit, `${(spread.median / ours.median).toFixed(2)} x${note}`);
    }),
  ];
  const table = formatTable(rows, [0, 4]);
  return ratio === null || Object.keys(peers).length < 2 ? table : `${table}\n  ${verdict(ratio, unit)}`;
}

function spreadRow(name: string, { median, min, max }: Spread, unit: Unit, note: string): string[] {
  return [`  ${name}`, ...[median, min, max].map((value) => formatUnit(value, unit)), note];
}

export function formatUnit(value: number, unit: Unit): string {
  return unit === "bytes" ? formatBytes(value) : formatSeconds(value);
}

/** 0.0123 -> "12.3 ms" */
export function formatSeconds(seconds: number): string {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 0.01 ? `${(seconds * 1e3).toFixed(0)} ms` : `${(seconds * 1e3).toFixed(2)} ms`;
}

/** 12.34 -> "12.3", and 0.0123 -> "0.012", as of a GPU in software */
export function formatRate(rate: number): string {
  return rate.toFixed(rate < 1 ? 3 : 1);
}

function verdict(ratio: number, unit: Unit): string {
  const [ahead, behind] = unit === "bytes" ? ["less", "more"] : ["faster", "slower"];
  const factor = Math.max(ratio, 1 / ratio).toFixed(2);
  return `${factor} times ${ratio >= 1 ? ahead : behind} than the best peer`;
}

/** Where a program's time goes, by kind of kernel. */
export function kindTable({ name, peak, seconds, kinds }: ProfileReport): string {
  const rows = kinds.map((kind) => [
    `  ${kind.kind}`,
    String(kind.count),
    formatSeconds(kind.seconds),
    `${(100 * kind.share).toFixed(1)} %`,
    ...rateCells(kind),
  ]);
  const rate = kinds.reduce((total, { flops }) => total + flops, 0) / seconds;
  const share = `${giga(rate)} of the ${giga(peak)} GFLOP/s that this machine reaches (${percent(rate / peak)})`;
  const title = `${name}: ${formatSeconds(seconds)} in kernels, ${share}`;
  return `${title}\n${formatTable([["  kernels", "number", "time", "share", "GFLOP/s", "of peak", "GB/s"], ...rows])}`;
}

/** The slowest kernels one by one. */
export function kernelTable({ name, kernels }: ProfileReport): string {
  const rows = kernels.map((kernel) => [
    `  ${kernel.index}`,
    kernel.name,
    kernel.kind,
    kernel.work,
    formatSeconds(kernel.seconds),
    ...rateCells(kernel),
  ]);
  const header = ["  place", "function", "kind", "work", "time", "GFLOP/s", "of peak", "GB/s"];
  return `${name}: the slowest kernels\n${formatTable([header, ...rows], [0, 1, 2, 3])}`;
}

function rateCells({ flopsPerSecond, shareOfPeak, bytesPerSecond }: Rates): string[] {
  return [
    flopsPerSecond === null ? "" : giga(flopsPerSecond),
    shareOfPeak === null ? "" : percent(shareOfPeak),
    bytesPerSecond === null ? "" : formatRate(bytesPerSecond / 1e9),
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function giga(perSecond: number): string {
  return formatRate(perSecond / 1e9);
}
