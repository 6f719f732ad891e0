import type { EvaluationRow } from "./report.ts";

const columns: readonly (readonly [title: string, cell: (row: EvaluationRow) => string])[] = [
  ["sampler         ", ({ sampler }) => sampler ?? ""],
  ["steps", ({ steps }) => String(steps ?? "")],
  ["evaluations", ({ evaluations }) => String(evaluations ?? "")],
  ["s for 64", ({ secondsFor64 }) => secondsFor64?.toFixed(2) ?? ""],
  ["    fid", ({ fid }) => shown(fid, 3)],
  ["            kid", ({ kid, kidStd }) => `${shown(kid, 4)} ± ${shown(kidStd, 4)}`],
  ["precision", ({ precision }) => shown(precision, 3)],
  ["recall", ({ recall }) => shown(recall, 3)],
  ["novelty", ({ novelty }) => shown(novelty.features, 2)],
  ["in pixels", ({ novelty }) => shown(novelty.pixels, 2)],
  ["of class", ({ classShares }) => (classShares === undefined ? "" : meanOf(Object.values(classShares)).toFixed(3))],
];

/** A table that is printed row by row, since the next one may take minutes. */
export class EvaluationTable {
  readonly #say: (line: string) => void;
  #isEmpty = true;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(row: EvaluationRow): void {
    if (this.#isEmpty) this.#say(columns.map(([title]) => title).join("  "));
    this.#isEmpty = false;
    const cells = columns.map(([title, cell], i) => {
      return i === 0 ? cell(row).padEnd(title.length) : cell(row).padStart(title.length);
    });
    this.#say(cells.join("  ").trimEnd());
  }
}

function shown(value: number | null, digits: number): string {
  return value === null ? "none" : value.toFixed(digits);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
