import { importsOf, literalOf } from "../common/code.ts";
import { trainingOptions } from "./model.ts";

export function trainingCode(label: number, seed: number, steps: number): string {
  return `${importsOf("GaussianDiffusion", "RunDirectory", "Trainer", "Unet", "fashionMnist", "memoryDataset", "saveGrid")}
// All garments of one kind, at half the size: each pixel is the mean of four.
const dataset = await fashionMnist({ split: "test" });
const wanted = Array.from(dataset.labels ?? []).flatMap((label, i) => (label === ${label} ? [i] : []));
const large = new Uint8Array(wanted.length * 28 * 28);
await dataset.read(wanted, large);
const images = Uint8Array.from({ length: wanted.length * 14 * 14 }, (_, i) => {
  const first = Math.floor(i / 196) * 784 + 2 * (Math.floor(i / 14) % 14) * 28 + 2 * (i % 14);
  return Math.round((large[first] + large[first + 1] + large[first + 28] + large[first + 29]) / 4);
});

const diffusion = new GaussianDiffusion({ timesteps: 300, betaSchedule: "cosine", objective: "predX0" });
const trainer = new Trainer({
  model: new Unet({ dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 1, seed: ${seed} }),
  diffusion,
  dataset: memoryDataset({ name: "small garments", images, shape: [wanted.length, 14, 14, 1] }),
  runDirectory: new RunDirectory("runs/small-garments"),
  ...${literalOf(trainingOptions(seed))},
});
for await (const { step, loss } of trainer.run({ steps: ${steps} })) console.log("step", step, "loss", loss);
const samples = await diffusion.sample(trainer.samplingModel, {
  batchSize: 8, imageSize: 14, seed: 1, steps: 10, sampler: "dpmSolver++2M", timestepSpacing: "karras",
});
await saveGrid("small-garments.png", samples, { scale: 8 });
`;
}
