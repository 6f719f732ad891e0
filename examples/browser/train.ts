import { ElucidatedDiffusion, Trainer, Unet, encodeCheckpoint, serializeSafetensors } from "unnoise";
import type { Backend, ImageDataset } from "unnoise";
import { chosenBackend } from "./device.ts";
import { button, canvas, element, input, progress, say, select } from "./elements.ts";
import { drawLosses } from "./loss-curve.ts";
import { describe } from "./models.ts";
import type { Drawable } from "./models.ts";
import { Pace } from "./pace.ts";
import { drawImages, photoDataset } from "./pictures.ts";
import { save } from "./save.ts";

/** Steps from preview to preview, whose images take about as long as two steps. */
const PREVIEW_EVERY = 25;

/** A training that can go on, on the device on which it began. */
interface Training {
  readonly trainer: Trainer<Unet>;
  readonly diffusion: ElucidatedDiffusion;
  readonly dataset: ImageDataset;
  readonly backend: Backend;
  readonly losses: number[];
}

let training: Training | undefined;

/** Trains a new model on the chosen images until its steps are done or the signal stops it. */
export async function train(signal: AbortSignal): Promise<Drawable> {
  const files = [...(input("photos").files ?? [])];
  if (files.length === 0) throw new Error("There are no images to learn from yet: choose some.");
  const steps = input("training-steps").valueAsNumber;
  progress("train-progress", 0, steps);
  say("train-status", "reading the images …");
  const [size, channels] = [Number(select("size").value), Number(select("channels").value)];
  const dataset = await photoDataset(files, size, channels);
  const backend = await chosenBackend();
  training?.trainer.dispose();
  training = begin(dataset, Math.min(input("batch").valueAsNumber, files.length), backend);
  return goOn(training, steps, signal);
}

/** Trains the same model for as many steps more. */
export async function trainFurther(signal: AbortSignal): Promise<Drawable> {
  if (!training) throw new Error("There is nothing trained yet.");
  return goOn(training, training.trainer.step + input("training-steps").valueAsNumber, signal);
}

/**
 * EDM finds shapes in fewer steps than a loss on the noise. A rate that stays the same, with averaged weights, can go on
 * for as long as one likes.
 */
function begin(dataset: ImageDataset, batchSize: number, backend: Backend): Training {
  const model = new Unet({ dim: 16, channels: dataset.channels, dimMults: [1, 2, 4], attentionHeads: 2 });
  const diffusion = new ElucidatedDiffusion({ samplingTimesteps: 18 });
  const trainer = new Trainer({
    model,
    diffusion,
    dataset,
    backend,
    batchSize,
    learningRate: 2e-3,
    warmupSteps: 50,
    maxGradNorm: 1,
    emaDecay: 0.995,
    emaUpdateEvery: 1,
    randomHorizontalFlip: true,
  });
  return { trainer, diffusion, dataset, backend, losses: [] };
}

async function goOn(training: Training, steps: number, signal: AbortSignal): Promise<Drawable> {
  const { trainer, diffusion, dataset, losses } = training;
  const curve = element("losses", SVGElement);
  const pace = new Pace();
  say("train-status", "compiling …");
  for await (const { step, loss } of trainer.run({ steps })) {
    losses.push(loss);
    drawLosses(curve, losses, steps);
    curve.removeAttribute("hidden");
    curve.ariaLabel = `Loss ${loss.toFixed(4)} at step ${step}`;
    progress("train-progress", step, steps);
    const left = step < steps ? pace.after(step, steps) : undefined;
    say("train-status", `step ${step} of ${steps}, loss ${loss.toFixed(4)}${left ? `, about ${left} left` : ""}`);
    if (step % PREVIEW_EVERY === 0 && step < steps) await preview(training, signal);
    if (signal.aborted) break;
  }
  for (const id of ["train-further", "save"]) button(id).hidden = false;
  say("news", `trained for ${trainer.step} steps`);
  return {
    description: describe("trained here", trainer.model, trainer.step, dataset),
    model: trainer.samplingModel,
    diffusion,
    imageSize: [dataset.height, dataset.width],
    classNames: [],
  };
}

/** Shows what the model draws by now; always from the same noise, so that one sees it learn. */
async function preview({ trainer, diffusion, dataset, backend }: Training, signal: AbortSignal): Promise<void> {
  const images = await diffusion
    .sample(trainer.samplingModel, {
      backend,
      sampler: "dpmSolver++2M",
      steps: 10,
      batchSize: 8,
      seed: 1,
      imageSize: [dataset.height, dataset.width],
      signal,
    })
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  if (images === undefined) return;
  drawImages(canvas("preview"), images, 4);
  canvas("preview").ariaLabel = `8 images after ${trainer.step} steps of training`;
  element("preview-figure", HTMLElement).hidden = false;
  say("preview-caption", `Drawn after ${trainer.step} steps`);
}

/** Offers the trained model as a file, which this page and `unnoise sample` read. */
export async function saveCheckpoint(): Promise<void> {
  if (!training) throw new Error("There is nothing trained yet.");
  const { trainer } = training;
  const { tensors, metadata } = await encodeCheckpoint(await trainer.checkpoint());
  const bytes = serializeSafetensors(tensors, metadata) as Uint8Array<ArrayBuffer>;
  save(new Blob([bytes]), `step-${trainer.step}.safetensors`);
}
