import { GaussianDiffusion, samplerNames } from "unnoise";
import { chosenBackend } from "./device.ts";
import { button, canvas, element, input, progress, say, select, setOptions } from "./elements.ts";
import type { Drawable } from "./models.ts";
import { drawImages } from "./pictures.ts";
import { savePicture } from "./save.ts";

let drawable: Drawable | undefined;
/** What is on the canvas. */
let drawn = "images";

export function useModel(model: Drawable): void {
  drawable = model;
  say("model-status", model.description);
  const { diffusion } = model;
  const { sampler, visited } = diffusion.plan();
  // One with timesteps takes all of them where it is not told how to draw.
  const takesAll = diffusion instanceof GaussianDiffusion && !diffusion.sampling;
  select("sampler").selectedIndex = samplerNames.indexOf(takesAll ? "ddim" : sampler);
  input("steps").value = String(Math.min(takesAll ? diffusion.samplingTimesteps : visited, 50));
  setOptions(select("class"), ["all in turn", ...model.classNames]);
  element("class-fields", HTMLElement).hidden = model.classNames.length === 0;
}

export function offerSamplers(): void {
  setOptions(select("sampler"), samplerNames);
}

/** Draws with the form's settings and shows every step. */
export async function draw(signal: AbortSignal): Promise<void> {
  if (!drawable) throw new Error("There is no model yet: give it a checkpoint, or train one.");
  const { model, diffusion, imageSize, classNames } = drawable;
  const batchSize = input("count").valueAsNumber;
  const seed = input("seed").valueAsNumber;
  const chosen = Number(select("class").value) - 1;
  const classes = Int32Array.from({ length: batchSize }, (_, i) => (chosen < 0 ? i % classNames.length : chosen));
  progress("draw-progress", 0, 1);
  say("draw-status", "compiling …");
  const start = performance.now();
  await diffusion.sample(model, {
    backend: await chosenBackend(),
    sampler: samplerNames[Number(select("sampler").value)],
    steps: input("steps").valueAsNumber,
    seed,
    batchSize,
    imageSize,
    ...(classNames.length > 0 ? { classes, condScale: input("guidance").valueAsNumber } : {}),
    signal,
    onStep: ({ step, steps, images }) => {
      drawImages(canvas("images"), images);
      canvas("images").hidden = false;
      canvas("images").ariaLabel = `${batchSize} images after step ${step} of ${steps}`;
      progress("draw-progress", step, steps);
      say("draw-status", `step ${step} of ${steps}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
    },
  });
  drawn = `images-of-seed-${seed}`;
  button("save-picture").hidden = false;
  say("news", `${batchSize} images are drawn`);
}

/** Offers what was drawn as a picture. */
export function saveDrawn(): Promise<void> {
  return savePicture(canvas("images"), `${drawn}.png`);
}
