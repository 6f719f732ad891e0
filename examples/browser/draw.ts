import { GaussianDiffusion, samplerNames } from "unnoise";
import { chosenBackend } from "./device.ts";
import { canvas, input, progress, say, select, setOptions } from "./elements.ts";
import type { Drawable } from "./models.ts";
import { drawImages } from "./pictures.ts";

let drawable: Drawable | undefined;

export function useModel(model: Drawable): void {
  drawable = model;
  say("model-status", model.description);
  const { diffusion } = model;
  // For one with timesteps a plan may be to take them all.
  const usual = diffusion instanceof GaussianDiffusion ? "ddim" : diffusion.plan().sampler;
  select("sampler").selectedIndex = samplerNames.indexOf(usual);
  input("steps").value = String(Math.min(diffusion.samplingTimesteps, 50));
  const classes = select("class");
  setOptions(classes, ["all in turn", ...model.classNames]);
  classes.parentElement?.toggleAttribute("hidden", model.classNames.length === 0);
}

export function offerSamplers(): void {
  setOptions(select("sampler"), samplerNames);
}

/** Draws with the form's settings and shows every step. */
export async function draw(signal: AbortSignal): Promise<void> {
  if (!drawable) throw new Error("There is no model yet: give it a checkpoint, or train one.");
  const { model, diffusion, imageSize, classNames } = drawable;
  const batchSize = input("count").valueAsNumber;
  const chosen = Number(select("class").value) - 1;
  const classes = Int32Array.from({ length: batchSize }, (_, i) => (chosen < 0 ? i % classNames.length : chosen));
  progress("draw-progress", 0, 1);
  say("draw-status", "compiling …");
  const start = performance.now();
  await diffusion.sample(model, {
    backend: await chosenBackend(),
    sampler: samplerNames[Number(select("sampler").value)],
    steps: input("steps").valueAsNumber,
    seed: input("seed").valueAsNumber,
    batchSize,
    imageSize,
    classes: classNames.length > 0 ? classes : undefined,
    signal,
    onStep: ({ step, steps, images }) => {
      drawImages(canvas("images"), images);
      canvas("images").hidden = false;
      canvas("images").ariaLabel = `${batchSize} images after step ${step} of ${steps}`;
      progress("draw-progress", step, steps);
      say("draw-status", `step ${step} of ${steps}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
    },
  });
}
