import { printable } from "./printable.ts";

/** 75 -> "1m 15s" */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return `${h}h ${m}m`;
  return m > 0 ? `${m}m ${s}s` : `${s}s`;
}

/** 2020257 -> "2,020,257" */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Three digits that matter with a unit: 65200000000 FLOP -> "65.2 GFLOP" */
export function formatScaled(value: number, unit: string): string {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  const power = value < 1000 ? 0 : Math.min(prefixes.length - 1, Math.floor(Math.log10(value) / 3));
  return `${Number((value / 1000 ** power).toPrecision(3))} ${prefixes[power]}${unit}`;
}

/** Bytes in binary units: 8081028 -> "7.71 MiB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${units[power]}`;
}

/** Columns padded to their widest cell; the first is text, the others align right unless they are said to be text. */
export function formatTable(rows: readonly (readonly string[])[], textColumns: readonly number[] = [0]): string {
  const shown = rows.map((row) => row.map(printable));
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map((row) => (row[column] ?? "").length)));
  return shown
    .map((row) =>
      widths
        .map((width, column) => {
          const cell = row[column] ?? "";
          return textColumns.includes(column) ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
