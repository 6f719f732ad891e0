// Compares the samplers on the model that comes with the package: a table of reports that `unnoise evaluate --json`
// wrote, and a picture of what each draws from the same noise:
//   node_modules/.bin/node bench/samplers.ts sweep.json karras.json --out docs/samplers.png
import { readFileSync } from "node:fs";
import { Command } from "commander";
import sharp from "sharp";
import { defaultBackend } from "../src/backend/default.ts";
import { evaluationReport } from "../src/cli/commands/evaluate/report.ts";
import type { EvaluationRow } from "../src/cli/commands/evaluate/report.ts";
import { SHIPPED_MODEL } from "../src/cli/runs/runs.ts";
import { samplerNames } from "../src/diffusion/samplers/registry.ts";
import type { SamplerName } from "../src/diffusion/samplers/registry.ts";
import type { TimestepSpacing } from "../src/diffusion/process/timestep-spacing.ts";
import { writeFileAtomic } from "../src/io/atomic.node.ts";
import { layoutGrid } from "../src/io/images/grid.ts";
import { toBytes } from "../src/io/images/pixels.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../src/checkpoint/from-checkpoint.ts";
import { check } from "../src/config/rules.ts";
import { readCheckpoint } from "../src/checkpoint/run-directory.node.ts";

/** Evaluations of the network, and what counts as about as many: heun takes two a step but for the last. */
const EVALUATIONS = [5, 10, 20, 50, 300];
const isAbout = (evaluations: number, wanted: number): boolean => Math.abs(evaluations - wanted) <= wanted / 10;

const reportOf = (path: string) => check(evaluationReport, JSON.parse(readFileSync(path, "utf8")), path);

/** @param timed a report whose seconds count: of a machine that did nothing else */
function table(paths: readonly string[], timed: string | undefined): string {
  const times = timed === undefined ? [] : reportOf(timed).rows;
  const lines = paths.map(reportOf).flatMap(({ settings, rows }) =>
    samplerNames.flatMap((sampler) => {
      const own = rows.filter((row) => row.sampler === sampler);
      if (own.length === 0) return [];
      const eta = settings.eta === null ? null : `eta ${settings.eta}`;
      const name = [`\`${sampler}\``, settings.timestepSpacing, eta].filter((part) => part !== null).join(", ");
      return [[name, ...EVALUATIONS.map((wanted) => atAbout(own, wanted)[0]?.fid?.toFixed(2) ?? "")]];
    }),
  );
  const head = ["sampler", ...EVALUATIONS.map((wanted) => `${wanted} evaluations${secondsOf(atAbout(times, wanted))}`)];
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function atAbout(rows: readonly EvaluationRow[], wanted: number): EvaluationRow[] {
  return rows.filter(({ evaluations }) => evaluations !== null && isAbout(evaluations, wanted));
}

/** The median over the samplers: what they do beside the network takes no time that one could see. */
function secondsOf(rows: readonly EvaluationRow[]): string {
  const seconds = rows.map((row) => row.secondsFor64).filter((value) => value !== null);
  if (seconds.length === 0) return "";
  return `, ${seconds.toSorted((x, y) => x - y)[Math.floor(seconds.length / 2)].toFixed(1)} s`;
}

/** Rows of the picture: the samplers, some with noise levels of Karras et al. too. */
const DRAWN: readonly (readonly [SamplerName, TimestepSpacing?])[] = [
  ...samplerNames.map((name) => [name] as const),
  ["dpmSolver++2M", "karras"],
  ["uniPC", "karras"],
];
const STEPS = [5, 10, 20, 50];
/** A dress, a sandal, a bag and an ankle boot. */
const CLASSES = [3, 5, 8, 9];
const SCALE = 2;
const CELL = 29 * SCALE;
const MARGIN = { left: 210, top: 24 };

async function picture(): Promise<Buffer> {
  const backend = await defaultBackend();
  const checkpoint = await readCheckpoint(SHIPPED_MODEL);
  const model = await modelFromCheckpoint(checkpoint);
  const diffusion = diffusionFromCheckpoint(checkpoint);
  const drawn: Uint8Array[] = [];
  for (const [sampler, timestepSpacing] of DRAWN) {
    for (const steps of STEPS) {
      const way = { sampler, steps, timestepSpacing, classes: CLASSES, seed: 0 };
      const { data } = await diffusion.sample(model, { batchSize: CLASSES.length, imageSize: 28, ...way, backend });
      drawn.push(toBytes(data as Float32Array));
    }
  }
  await backend.close();
  const columns = STEPS.length * CLASSES.length;
  const shape = [DRAWN.length * columns, 28, 28, 1] as const;
  const grid = layoutGrid({ data: Buffer.concat(drawn), shape }, { columns, padding: 1, scale: SCALE });
  const [width, height] = [MARGIN.left + grid.width, MARGIN.top + grid.height];
  const text = (x: number, y: number, line: string): string =>
    `<text x="${x}" y="${y}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="15" fill="#333">${line}</text>`;
  const labels = [
    ...DRAWN.map(([name, spacing], i) =>
      text(8, MARGIN.top + (i + 0.6) * CELL, spacing ? `${name}, ${spacing}` : name),
    ),
    ...STEPS.map((steps, i) => text(MARGIN.left + i * CLASSES.length * CELL + 8, 17, `${steps} steps`)),
  ];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${labels.join("")}</svg>`;
  const raw = { width: grid.width, height: grid.height, channels: 1 } as const;
  const images = await sharp(grid.data, { raw }).png().toBuffer();
  return sharp({ create: { width, height, channels: 3, background: "#fff" } })
    .composite([
      { input: images, left: MARGIN.left, top: MARGIN.top },
      { input: Buffer.from(svg), left: 0, top: 0 },
    ])
    .png()
    .toBuffer();
}

const program = new Command("samplers")
  .argument("[reports...]", "what unnoise evaluate --json wrote")
  .option("--times <report>", "take the seconds from this report")
  .option("--out <file>", "where the picture goes")
  .parse();
const { times, out } = program.opts<{ readonly times?: string; readonly out?: string }>();
if (program.args.length > 0) console.log(table(program.args, times));
if (out !== undefined) await writeFileAtomic(out, await picture());
