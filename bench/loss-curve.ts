// Trains by the article's recipe, here and in PyTorch, and draws both losses:
//   node_modules/.bin/node bench/loss-curve.ts --images train-images-idx3-ubyte.gz
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import sharp from "sharp";
import { z } from "zod";
import { defaultBackend } from "../src/backend/default.ts";
import { report } from "../src/cli/failure.ts";
import { numberFlag } from "../src/cli/flags/flags.ts";
import { namesFlag } from "../src/cli/flags/name-list.ts";
import { presetNamed } from "../src/cli/presets/all.ts";
import { diffusionOf, modelOf } from "../src/cli/runs/run-parts.ts";
import { runSettings } from "../src/cli/runs/run-settings.ts";
import { idxPair } from "../src/data/idx.node.ts";
import { writeFileAtomic } from "../src/io/atomic.node.ts";
import { check, wholeNumber } from "../src/config/rules.ts";
import { Trainer } from "../src/training/trainer.ts";
import { ChildLines } from "./contest/child-lines.ts";
import { lineChart } from "../src/io/charts/line-chart.ts";
import type { ChartLine } from "../src/io/charts/line-chart.ts";
import { libraries } from "./contest/libraries.ts";
import { findLibrary } from "./contest/packages.ts";

/** Steps whose losses are averaged into one point. */
const WINDOW = 20;
/** What "The Annotated Diffusion Model" prints at every hundredth step of an epoch of 469, the first being 0. */
const ARTICLE = [
  0.4648, 0.1214, 0.0811, 0.0802, 0.0612, 0.0631, 0.0568, 0.0573, 0.055, 0.0444, 0.0542, 0.0602, 0.0468, 0.051, 0.0478,
  0.0468, 0.0431, 0.0522, 0.0475, 0.0511, 0.0459, 0.043, 0.0464, 0.0495, 0.0447,
];
const ARTICLE_STEPS_PER_EPOCH = 469;
const ARTICLE_PRINTS_PER_EPOCH = 5;

const sides = ["unnoise", "pytorch"] as const;
type Side = (typeof sides)[number];

/** The file of losses: per side the means over WINDOW steps. */
const lossFile = z.object({
  recipe: z.string(),
  images: z.number(),
  steps: z.number(),
  window: z.literal(WINDOW),
  means: z.partialRecord(z.enum(sides), z.array(z.number())),
});
type LossFile = z.infer<typeof lossFile>;

interface Flags {
  readonly images: string;
  readonly steps: number;
  readonly only: readonly Side[];
  readonly json: string;
  readonly out: string;
}

const recipe = presetNamed("annotated");
// The other side of the comparison standardizes weights as the paper that the article cites.
const model = { ...recipe.settings.model, weightStandardization: "standardized" };
const settings = check(runSettings, { preset: recipe.name, ...recipe.settings, model }, "preset");

async function run(flags: Flags): Promise<void> {
  const dataset = await idxPair({ images: flags.images });
  const head = { recipe: recipe.name, images: dataset.length, steps: flags.steps, window: WINDOW } as const;
  const means: LossFile["means"] = { ...earlierMeans(flags, head) };
  for (const side of flags.only) {
    const losses = side === "unnoise" ? trainHere(dataset, flags.steps) : trainInPyTorch(flags);
    means[side] = await meansOf(losses, side, flags.steps);
    // After each side, since one may take long.
    await writeFileAtomic(flags.json, `${JSON.stringify({ ...head, means }, undefined, 2)}\n`);
  }
  const svg = lineChart({
    lines: linesOf(means, flags.steps),
    xLabel: "step",
    yLabel: "Huber loss",
    isLogarithmic: true,
    start: 0,
    height: 440,
  });
  await writeFileAtomic(flags.out, await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer());
  process.stdout.write(`${flags.json}\n${flags.out}\n`);
}

/** What an earlier run of the same length found, so that one side can be run again alone. */
function earlierMeans({ json }: Flags, head: Omit<LossFile, "means">): LossFile["means"] {
  if (!existsSync(json)) return {};
  const { means, ...found } = check(lossFile, JSON.parse(readFileSync(json, "utf8")), json);
  return JSON.stringify(found) === JSON.stringify(head) ? means : {};
}

async function* trainHere(dataset: Awaited<ReturnType<typeof idxPair>>, steps: number): AsyncGenerator<number> {
  const trainer = new Trainer({
    ...settings.training,
    model: modelOf(settings, 1),
    diffusion: diffusionOf(settings),
    dataset,
    backend: await defaultBackend(),
  });
  for await (const { loss } of trainer.run({ steps })) yield loss;
}

async function* trainInPyTorch({ images, steps }: Flags): AsyncGenerator<number> {
  const found = await findLibrary("pytorch", libraries.pytorch);
  if ("absence" in found) throw new Error(found.absence);
  const script = fileURLToPath(new URL("peers/loss_curve.py", import.meta.url));
  const numbers = { steps, batch: settings.training.batchSize, threads: availableParallelism() };
  const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(found.python, ["-B", script, "--images", images, ...flags], { stdio: "pipe" });
  const lines = new ChildLines("pytorch", child);
  try {
    for (let step = 0; step < steps; step++) yield (await lines.readAs(z.object({ loss: z.number() }))).loss;
  } finally {
    await lines.close();
  }
}

async function meansOf(losses: AsyncIterable<number>, side: Side, steps: number): Promise<number[]> {
  const means: number[] = [];
  let sum = 0;
  let step = 0;
  for await (const loss of losses) {
    sum += loss;
    step++;
    if (step % WINDOW !== 0) continue;
    means.push(sum / WINDOW);
    sum = 0;
    process.stderr.write(`${side}: step ${step} of ${steps}, mean loss ${means.at(-1)?.toFixed(4)}\n`);
  }
  return means;
}

const colours: Readonly<Record<Side, string>> = { unnoise: "#d1495b", pytorch: "#00798c" };

function linesOf(means: LossFile["means"], steps: number): ChartLine[] {
  const curves = sides.flatMap((side): ChartLine[] => {
    const own = means[side];
    if (own === undefined) return [];
    const x = own.map((_, i) => i * WINDOW + (WINDOW + 1) / 2);
    return [{ name: `${side}, mean of ${WINDOW} steps`, colour: colours[side], x, y: own }];
  });
  const x = ARTICLE.map((_, i) => articleStep(i)).filter((step) => step <= steps);
  const printed = { x, y: ARTICLE.slice(0, x.length), colour: "#444", isDots: true };
  return [...curves, { name: "printed in the article, one step", ...printed }];
}

/** The step, counted from 1, of the article's i-th printed loss. */
function articleStep(i: number): number {
  const epoch = Math.floor(i / ARTICLE_PRINTS_PER_EPOCH);
  return 1 + epoch * ARTICLE_STEPS_PER_EPOCH + 100 * (i % ARTICLE_PRINTS_PER_EPOCH);
}

function command(): Command {
  return new Command("loss-curve")
    .description("Train by the recipe of The Annotated Diffusion Model, here and in PyTorch, and draw the losses.")
    .requiredOption("--images <file>", "an IDX file of 28x28 images, gzipped or not")
    .option("--steps <n>", `steps of each, a multiple of ${WINDOW}`, numberFlag(wholeNumber(WINDOW)), 300)
    .option("--only <sides>", "train only these and keep the other's losses", namesFlag(sides), [...sides])
    .option("--json <file>", "where the losses go", "docs/loss-curve.json")
    .option("--out <file>", "where the picture goes, a PNG", "docs/loss-curve.png")
    .exitOverride();
}

try {
  await run(command().parse().opts<Flags>());
} catch (error) {
  process.exitCode = error instanceof CommanderError ? Number(error.exitCode !== 0) : report(error);
}
