import { countGraph } from "../../src/bench/gpu/counts.ts";
import type { GpuCounts } from "../../src/bench/gpu/counts.ts";
import { countedPrograms } from "../../src/bench/gpu/programs.ts";
import { formatBytes, formatCount, formatScaled, formatTable } from "../../src/cli/output/format.ts";
import { formatSeconds } from "../../src/cli/commands/bench/report.ts";
import type { CountedRow, Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";

export async function countForGpu({ say }: Pick<Plan, "say">): Promise<Outcome> {
  const counts: CountedRow[] = [];
  for (const { title, precision, graph } of countedPrograms) {
    say(title);
    counts.push({ title, ...countGraph(await graph(), precision) });
  }
  return {
    results: [],
    profiles: [],
    descriptions: ["counted without a GPU; times are a model's, plus or minus 40 %"],
    counts,
  };
}

const lines: readonly (readonly [name: string, of: (counts: GpuCounts) => string])[] = [
  ["dispatches", ({ dispatches }) => formatCount(dispatches)],
  ["different shaders", ({ shaders }) => formatCount(shaders)],
  ["GFLOP", ({ flops }) => (flops / 1e9).toFixed(0)],
  ["bytes read and written", ({ bytes }) => formatScaled(bytes, "B")],
  ["workspace", ({ workspaceBytes }) => formatBytes(workspaceBytes)],
  ["largest buffer", ({ largestBytes }) => formatBytes(largestBytes)],
  ["packs, copies for them", ({ packs, copies }) => `${formatCount(packs)}, ${formatCount(copies)}`],
  ["longest serial loop of a reduction", ({ longestSerialLoop }) => formatCount(longestSerialLoop)],
  ["large reductions under 128 workgroups", ({ smallReductions }) => formatCount(smallReductions)],
  ["products under 128 workgroups that could be split", ({ smallProducts }) => formatCount(smallProducts)],
];

/** The counts of a program as lines for people. */
export function countTable(row: CountedRow): string {
  const modelled = Object.entries(row.seconds).map(([gpu, seconds]) => `${gpu} ${formatSeconds(seconds)}`);
  const kinds = row.kinds.map(({ kind, dispatches, shaders, flops, bytes, small }) => [
    `  ${kind}`,
    formatCount(dispatches),
    formatCount(shaders),
    (flops / 1e9).toFixed(1),
    formatScaled(bytes, "B"),
    formatCount(small),
  ]);
  return [
    row.title,
    formatTable(
      lines.map(([name, of]) => [`  ${name}`, of(row)]),
      [0],
    ),
    formatTable([["  kind", "dispatches", "shaders", "GFLOP", "bytes", "under 128 workgroups"], ...kinds]),
    `  by the model: ${modelled.join(", ")}; on the last in ${row.submissions} submissions of at most ${formatSeconds(row.longestSubmission)}`,
  ].join("\n");
}
