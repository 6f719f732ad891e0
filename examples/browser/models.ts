import { decodeCheckpoint, diffusionFromCheckpoint, modelFromCheckpoint, parseSafetensors } from "unnoise";
import type { Diffusion, DiffusionModel, ImageDataset } from "unnoise";

/** A model and what it takes to draw with it. */
export interface Drawable {
  /** What it is, for people. */
  readonly description: string;
  readonly model: DiffusionModel;
  readonly diffusion: Diffusion;
  readonly imageSize: readonly [height: number, width: number];
  readonly classNames: readonly string[];
}

/** @throws Error of one line if this is no checkpoint of `unnoise train` */
export async function readCheckpoint(bytes: Uint8Array, name: string): Promise<Drawable> {
  const checkpoint = await decodeCheckpoint(parseSafetensors(bytes, name), name);
  const { dataset, model: settings } = checkpoint.config;
  const model = await modelFromCheckpoint(checkpoint);
  const diffusion = diffusionFromCheckpoint(checkpoint);
  const { height, width } = dataset;
  return {
    description: describe(name, model, checkpoint.step, dataset),
    model,
    diffusion,
    imageSize: [height, width],
    classNames: dataset.classNames ?? Array.from({ length: settings.numClasses }, (_, i) => `class ${i}`),
  };
}

/** What a model is, in one line for people. */
export function describe(
  name: string,
  model: DiffusionModel,
  steps: number,
  dataset: Pick<ImageDataset, "name" | "length" | "height" | "width">,
): string {
  const count = [...model.parameters().values()].reduce((sum, { size }) => sum + size, 0);
  const images = `${dataset.length.toLocaleString()} images of ${dataset.width} × ${dataset.height} (${dataset.name})`;
  return `${name}: ${count.toLocaleString()} parameters, ${steps.toLocaleString()} steps on ${images}`;
}
