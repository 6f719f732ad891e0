// Trains a UNet2DModel on what diffusers and PyTorch trained it on, step by step, and draws both losses:
//   python bench/peers/unet_2d_curve.py --images train-images-idx3-ubyte.gz --out steps.safetensors
//   node_modules/.bin/node bench/unet-2d-curve.ts steps.safetensors
import { Command, CommanderError } from "commander";
import sharp from "sharp";
import { defaultBackend } from "../src/backend/default.ts";
import { trainingSettings } from "../src/checkpoint/training-settings.ts";
import { report } from "../src/cli/failure.ts";
import { check } from "../src/config/rules.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { writeFileAtomic } from "../src/io/atomic.node.ts";
import { lineChart } from "../src/io/charts/line-chart.ts";
import { toFloat32 } from "../src/io/safetensors/safetensors.ts";
import type { SafeTensor } from "../src/io/safetensors/safetensors.ts";
import { readSafetensors } from "../src/io/safetensors/safetensors.node.ts";
import { UNet2DModel } from "../src/models/unet-2d/unet-2d-model.ts";
import { withoutWeights } from "../src/nn/init.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import type { NdArray } from "../src/tensor/ndarray.ts";
import { TrainingProgram } from "../src/training/step/training-program.ts";
import type { MicroBatch } from "../src/training/step/micro-batch.ts";
import type { TrainingTask } from "../src/training/task.ts";

const PREFIX = "model.";
/** Steps whose losses are averaged into one point of the chart. */
const WINDOW = 10;
/** AdamW as the other side has it. */
const settings = {
  optimizer: "adamw",
  adamBetas: [0.95, 0.999],
  weightDecay: 1e-6,
  emaDecay: 0,
} as const;

/** What the other side trained on, and its losses. */
interface Recorded {
  readonly model: UNet2DModel;
  /** [steps, batch, ...] each */
  readonly images: NdArray;
  readonly timesteps: NdArray;
  readonly noise: NdArray;
  readonly losses: ArrayLike<number>;
}

async function readRecorded(path: string): Promise<Recorded> {
  const { tensors, metadata } = await readSafetensors(path);
  const named = (name: string): SafeTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${path}: has no tensor ${name}`);
    return tensor;
  };
  const numbers = (name: string): NdArray => {
    const { shape, data } = named(name);
    return ndarray(Float32Array.from(data, Number), shape);
  };
  const model = withoutWeights(() => UNet2DModel.fromConfig(JSON.parse(metadata.config ?? "{}"), path));
  const weights = [...tensors].filter(([name]) => name.startsWith(PREFIX));
  await model.loadStateDict(new Map(weights.map(([name, tensor]) => [name.slice(PREFIX.length), tensor])), path);
  const losses = toFloat32(named("losses"));
  return { model, images: numbers("images"), timesteps: numbers("timesteps"), noise: numbers("noise"), losses };
}

/** The noise and the timesteps are given, where a diffusion's own task draws them. */
function givenNoise(model: UNet2DModel, [height, width, channels]: readonly number[]): TrainingTask {
  const diffusion = new GaussianDiffusion({ timesteps: 1000, betaSchedule: "linear", lossType: "l2" });
  return {
    inputs: { noise: { shape: [height, width, channels], dtype: "f32" }, t: { shape: [], dtype: "i32" } },
    variants: ["given"],
    variantOf: () => "given",
    loss: ({ images, inputs: { noise, t } }) => ({ loss: diffusion.losses(model, images, t, noise).mean() }),
  };
}

async function train({ model, images, timesteps, noise, losses }: Recorded): Promise<number[]> {
  const [, batch, ...image] = images.shape;
  const program = new TrainingProgram({
    backend: await defaultBackend(),
    task: givenNoise(model, image),
    parameters: model.parameters(),
    settings: check(trainingSettings, { ...settings, batchSize: batch, learningRate: 1e-3 }, "settings"),
  });
  const rowsOf = ({ shape: [, ...shape], data }: NdArray, step: number): NdArray => {
    const size = shape.reduce((a, b) => a * b, 1);
    return ndarray(Float32Array.from(data.subarray(step * size, (step + 1) * size)), shape);
  };
  const own: number[] = [];
  for (let step = 0; step < losses.length; step++) {
    const t = ndarray(Int32Array.from(rowsOf(timesteps, step).data), [batch]);
    const inputs = { noise: rowsOf(noise, step), t };
    const given = async function* (): AsyncGenerator<MicroBatch> {
      yield { images: rowsOf(images, step), inputs, seed: 0, counter: step };
    };
    own.push(await program.run(given(), { learningRate: 1e-3, emaRate: 0 }));
    if ((step + 1) % 50 === 0) process.stderr.write(`step ${step + 1} of ${losses.length}\n`);
  }
  program.dispose();
  return own;
}

function meansOf(values: ArrayLike<number>): number[] {
  return Array.from({ length: Math.floor(values.length / WINDOW) }, (_, i) => {
    const window = Array.from(values).slice(i * WINDOW, (i + 1) * WINDOW);
    return window.reduce((a, b) => a + b, 0) / WINDOW;
  });
}

async function run(path: string, { out }: { readonly out: string }): Promise<void> {
  const recorded = await readRecorded(path);
  const [own, others] = [await train(recorded), Array.from(recorded.losses)];
  for (const last of [1, 10, 50, 100, others.length].filter((step) => step <= others.length)) {
    const differences = own.slice(0, last).map((loss, i) => Math.abs(loss / others[i] - 1));
    const [here, there] = [own, others].map((losses) => losses[last - 1].toFixed(6));
    const largest = Math.max(...differences).toExponential(1);
    process.stdout.write(`step ${last}: unnoise ${here}, PyTorch ${there}; largest difference so far ${largest}\n`);
  }
  const x = meansOf(others).map((_, i) => i * WINDOW + (WINDOW + 1) / 2);
  const svg = lineChart({
    lines: [
      { name: `PyTorch and diffusers, mean of ${WINDOW} steps`, x, y: meansOf(others), width: 6 },
      { name: `unnoise, mean of ${WINDOW} steps`, x, y: meansOf(own) },
    ],
    xLabel: "step",
    yLabel: "mean squared error",
    isLogarithmic: true,
    start: 0,
  });
  await writeFileAtomic(out, await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer());
  process.stdout.write(`${out}\n`);
}

function command(): Command {
  return new Command("unet-2d-curve")
    .description("Train a UNet2DModel on what diffusers trained it on, and draw both losses.")
    .argument("<steps>", "what bench/peers/unet_2d_curve.py wrote")
    .option("--out <file>", "where the picture goes, a PNG", "docs/unet2d-curve.png")
    .exitOverride();
}

try {
  const parsed = command().parse();
  await run(parsed.args[0], parsed.opts<{ readonly out: string }>());
} catch (error) {
  process.exitCode = error instanceof CommanderError ? Number(error.exitCode !== 0) : report(error);
}
