import { geometricMean } from "../../src/bench/statistics.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import { formatUnit } from "../../src/cli/commands/bench/report.ts";
import { formatTable } from "../../src/cli/output/format.ts";
import type { SizeRow } from "./outcome.ts";

const columns = ["train", "forward", "memory"] as const;

export type GeometricMeans = Readonly<Record<(typeof columns)[number], number | null>>;

/** Of the ratios of all rows; null where a row has no peer that counts. */
export function geometricMeans(rows: readonly SizeRow[]): GeometricMeans {
  const [train, forward, memory] = columns.map((column) => meanOf(rows.map((row) => row[column].ratio)));
  return { train, forward, memory };
}

function meanOf(ratios: readonly (number | null)[]): number | null {
  const numbers = ratios.filter((ratio) => ratio !== null);
  return numbers.length === 0 || numbers.length < ratios.length ? null : geometricMean(numbers);
}

/** A line for each size: ours, the best peer's, and how many times ours that is; the means of these below. */
export function sizeTable(rows: readonly SizeRow[]): string {
  const header = ["size", ...columns.flatMap((column) => [column, "best peer", "ratio"])];
  const lines = rows.map((row) => [`  ${row.title}`, ...columns.flatMap((column) => cells(row[column]))]);
  const means = geometricMeans(rows);
  const last = ["  geometric mean", ...columns.flatMap((column) => ["", "", ratioCell(means[column])])];
  return formatTable([header, ...lines, last]);
}

function cells({ unit, ours, ratio }: BenchResult): string[] {
  const best = ratio === null ? "" : formatUnit(ratio * ours.median, unit);
  return [formatUnit(ours.median, unit), best, ratioCell(ratio)];
}

function ratioCell(ratio: number | null): string {
  return ratio === null ? "" : ratio.toFixed(2);
}
