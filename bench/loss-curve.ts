// Draws the losses of runs of the article's recipe, here and in PyTorch, beside those that the article prints:
//   npm run unnoise -- train --preset annotated --out runs/annotated
//   python bench/peers/loss_curve.py --images train-images-idx3-ubyte.gz --steps 2808 --out runs/pytorch
//   npm run unnoise -- train --preset annotated --timesteps 200 --steps 2340 --out runs/first-version
//   node_modules/.bin/node bench/loss-curve.ts runs/annotated runs/pytorch runs/first-version
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import sharp from "sharp";
import { z } from "zod";
import { report } from "../src/cli/failure.ts";
import { check } from "../src/config/rules.ts";
import { writeFileAtomic } from "../src/io/atomic.node.ts";
import { lineChart } from "../src/io/charts/line-chart.ts";
import type { ChartLine } from "../src/io/charts/line-chart.ts";

/** Steps whose losses are averaged into one point. */
const WINDOW = 20;
/**
 * What "The Annotated Diffusion Model" prints at every hundredth step of an epoch of 469, the first being 0. The
 * notebook of its first version (huggingface/notebooks, examples/annotated_diffusion.ipynb) prints the same numbers,
 * from 200 timesteps, five epochs and ConvNeXT blocks; its text and code became others, its output stayed.
 */
const ARTICLE = [
  0.4648, 0.1214, 0.0811, 0.0802, 0.0612, 0.0631, 0.0568, 0.0573, 0.055, 0.0444, 0.0542, 0.0602, 0.0468, 0.051, 0.0478,
  0.0468, 0.0431, 0.0522, 0.0475, 0.0511, 0.0459, 0.043, 0.0464, 0.0495, 0.0447,
];
const ARTICLE_STEPS_PER_EPOCH = 469;
const ARTICLE_PRINTS_PER_EPOCH = 5;

const sides = ["unnoise", "pytorch", "unnoise, 200 timesteps"] as const;
type Side = (typeof sides)[number];
const colours: Readonly<Record<Side, string>> = {
  unnoise: "#d1495b",
  pytorch: "#00798c",
  "unnoise, 200 timesteps": "#edae49",
};

/** What a line of either side's metrics.jsonl must have. */
const metricsLine = z.object({ step: z.int().positive(), loss: z.number() });

interface Flags {
  readonly json: string;
  readonly out: string;
}

async function run(directories: readonly string[], flags: Flags): Promise<void> {
  const means = await Promise.all(directories.map(async (path, i) => [sides[i], await meansOf(path)] as const));
  const steps = WINDOW * Math.max(...means.map(([, own]) => own.length));
  await writeFileAtomic(
    flags.json,
    `${JSON.stringify({ recipe: "annotated", window: WINDOW, means }, undefined, 2)}\n`,
  );
  const svg = lineChart({
    lines: [...means.map(lineOf), printed(steps)],
    xLabel: "step",
    yLabel: "Huber loss",
    isLogarithmic: true,
    start: 0,
    height: 440,
  });
  await writeFileAtomic(flags.out, await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer());
  process.stdout.write(`${flags.json}\n${flags.out}\n`);
}

/** Means over WINDOW steps of a run's losses, which must be of all steps from the first. */
async function meansOf(directory: string): Promise<number[]> {
  const path = join(directory, "metrics.jsonl");
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const losses = lines.map((line, i) => {
    const { step, loss } = check(metricsLine, JSON.parse(line), path);
    if (step !== i + 1) throw new RangeError(`${path}: line ${i + 1} must be of step ${i + 1}, got ${step}`);
    return loss;
  });
  if (losses.length < WINDOW) throw new RangeError(`${path} must have at least ${WINDOW} steps, got ${losses.length}`);
  return Array.from({ length: Math.floor(losses.length / WINDOW) }, (_, i) => {
    const part = losses.slice(i * WINDOW, (i + 1) * WINDOW);
    return part.reduce((sum, loss) => sum + loss, 0) / WINDOW;
  });
}

function lineOf([side, means]: readonly [Side, readonly number[]]): ChartLine {
  const x = means.map((_, i) => i * WINDOW + (WINDOW + 1) / 2);
  return { name: `${side}, mean of ${WINDOW} steps`, colour: colours[side], x, y: means };
}

function printed(steps: number): ChartLine {
  const x = ARTICLE.map((_, i) => articleStep(i)).filter((step) => step <= steps);
  return { name: "printed in the article, one step", x, y: ARTICLE.slice(0, x.length), colour: "#444", isDots: true };
}

/** The step, counted from 1, of the article's i-th printed loss. */
function articleStep(i: number): number {
  const epoch = Math.floor(i / ARTICLE_PRINTS_PER_EPOCH);
  return 1 + epoch * ARTICLE_STEPS_PER_EPOCH + 100 * (i % ARTICLE_PRINTS_PER_EPOCH);
}

function command(): Command {
  return new Command("loss-curve")
    .description("Draw the losses of runs of The Annotated Diffusion Model's recipe.")
    .argument("<unnoise>", "a directory that `unnoise train --preset annotated` wrote")
    .argument("[pytorch]", "a directory that bench/peers/loss_curve.py wrote")
    .argument("[first-version]", "a run with the 200 timesteps of the article's first version")
    .option("--json <file>", "where the losses go", "docs/loss-curve.json")
    .option("--out <file>", "where the picture goes, a PNG", "docs/loss-curve.png")
    .exitOverride();
}

try {
  const parsed = command().parse();
  await run(parsed.args, parsed.opts<Flags>());
} catch (error) {
  process.exitCode = error instanceof CommanderError ? Number(error.exitCode !== 0) : report(error);
}
