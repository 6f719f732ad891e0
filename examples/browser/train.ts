import { GaussianDiffusion, Trainer, Unet, encodeCheckpoint, serializeSafetensors } from "unnoise";
import { chosenBackend } from "./device.ts";
import { element, input, progress, say, select } from "./elements.ts";
import { drawLosses } from "./loss-curve.ts";
import { describe } from "./models.ts";
import type { Drawable } from "./models.ts";
import { photoDataset } from "./pictures.ts";

let trainer: Trainer | undefined;

/** Trains a new model on the chosen images until its steps are done or the signal stops it. */
export async function train(signal: AbortSignal): Promise<Drawable> {
  const files = [...(input("photos").files ?? [])];
  if (files.length === 0) throw new Error("There are no images to learn from yet: choose some.");
  const [size, channels] = [Number(select("size").value), Number(select("channels").value)];
  const steps = input("training-steps").valueAsNumber;
  progress("train-progress", 0, steps);
  say("train-status", "compiling …");
  const dataset = await photoDataset(files, size, channels);
  const backend = await chosenBackend();
  const model = new Unet({ dim: 16, channels, dimMults: [1, 2, 4], attentionHeads: 2 });
  const diffusion = new GaussianDiffusion({ timesteps: 1000, betaSchedule: "cosine", samplingTimesteps: 25 });
  trainer?.dispose();
  trainer = new Trainer({
    model,
    diffusion,
    dataset,
    backend,
    batchSize: Math.min(input("batch").valueAsNumber, files.length),
    learningRate: 2e-3,
    learningRateSchedule: "cosine",
    warmupSteps: Math.min(50, Math.floor(steps / 10)),
    emaDecay: 0.99,
    emaUpdateEvery: 1,
    randomHorizontalFlip: true,
  });
  const curve = element("losses", SVGElement);
  const losses: number[] = [];
  for await (const { step, loss, imagesPerSecond } of trainer.run({ steps })) {
    losses.push(loss);
    drawLosses(curve, losses, steps);
    curve.removeAttribute("hidden");
    curve.ariaLabel = `Loss ${loss.toFixed(4)} at step ${step}`;
    progress("train-progress", step, steps);
    say("train-status", `step ${step} of ${steps}, loss ${loss.toFixed(4)}, ${imagesPerSecond.toFixed(1)} images/s`);
    if (signal.aborted) break;
  }
  const description = describe("trained here", model, losses.length, dataset);
  return { description, model: trainer.samplingModel, diffusion, imageSize: [size, size], classNames: [] };
}

/** Offers the trained model as a file, which this page and `unnoise sample` read. */
export async function saveCheckpoint(): Promise<void> {
  if (!trainer) throw new Error("There is nothing trained yet.");
  const { tensors, metadata } = await encodeCheckpoint(await trainer.checkpoint());
  const bytes = serializeSafetensors(tensors, metadata) as Uint8Array<ArrayBuffer>;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = `step-${trainer.step}.safetensors`;
  link.click();
  URL.revokeObjectURL(link.href);
}
