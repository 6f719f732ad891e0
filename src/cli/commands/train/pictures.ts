import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DeviceLost } from "../../../backend/common/device-lost.ts";
import { listCheckpoints } from "../../../checkpoint/run-directory.node.ts";
import type { SamplingProgress } from "../../../diffusion/sampling/sampling.ts";
import { writeFileAtomic } from "../../../io/atomic.node.ts";
import { errorLine } from "../../../io/file-errors.node.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { allClasses, classesInTurn, columnsOfClasses } from "../../flags/drawing/classes.ts";
import { catchInterrupt } from "../../interrupt.ts";
import { formatDuration } from "../../output/format.ts";
import { lossCurve } from "../../output/loss-curve.ts";
import { lossHistory } from "../../output/loss-history.ts";
import { animationSteps, checkGridSize, writeAnimation, writeGrid } from "../../output/pictures.ts";
import type { GridLayout } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import type { ProgressBar } from "../../output/progress.ts";
import type { TrainingRun } from "./training-run.ts";

/** Images of a grid that is drawn while the model trains. */
const PREVIEW_IMAGES = 16;

export const gridPath = (run: string): string => join(run, "samples.png");
export const lossPath = (run: string): string => join(run, "loss.svg");
export const animationPath = (run: string): string => join(run, "denoising.gif");

/** @throws Error of one line if the pictures at the end would be too large to write */
export function checkFinalPictures(run: TrainingRun): void {
  const { dataset, diffusion, settings, path } = run;
  if (run.trainer.model.predicts === "classes") return;
  const shape = [settings.samples, dataset.height, dataset.width, dataset.channels];
  const layout = layoutOf(run, settings.samples);
  checkGridSize(gridPath(path), shape, layout);
  checkGridSize(animationPath(path), shape, layout, animationSteps(diffusion.plan().steps.length).length);
}

/** Draws a grid of samples of the present step. What goes wrong is told and is no reason to stop training. */
export async function drawPreview(run: TrainingRun, signal: AbortSignal): Promise<void> {
  const { samplingModel } = run.trainer;
  if (samplingModel.predicts === "classes") return;
  const path = join(run.directory.samplesPath, `step-${run.trainer.step}.png`);
  const batchSize = Math.min(PREVIEW_IMAGES, run.settings.samples);
  try {
    const images = await run.diffusion.sample(samplingModel, samplingOf(run, batchSize, signal));
    await writeGrid(path, images, layoutOf(run, batchSize));
    run.voice.say(`samples ${path}`);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof DeviceLost) throw error;
    run.voice.say(`no samples of step ${run.trainer.step}: ${errorLine(error)}`);
  }
}

/** Draws the losses of all steps. What goes wrong is told. */
export async function drawLoss({ path, directory, voice }: TrainingRun): Promise<void> {
  try {
    const history = await lossHistory(directory.metrics());
    if (history.length > 0) await writeFileAtomic(lossPath(path), lossCurve(history, `loss of ${path}`));
  } catch (error) {
    voice.say(`no picture of the losses: ${errorLine(error)}`);
  }
}

/** Whether the pictures at the end are there, and drawn after the last checkpoint. */
export async function hasFinalPictures(run: string): Promise<boolean> {
  const [newest] = await listCheckpoints(run);
  const changed = async (path: string) => (await stat(path).catch(() => undefined))?.mtimeMs ?? -Infinity;
  const times = await Promise.all([gridPath(run), animationPath(run), newest.path].map(changed));
  return times[2] <= Math.min(times[0], times[1]);
}

/** @returns false if it was interrupted */
export async function drawFinalPictures(run: TrainingRun, model: DiffusionModel): Promise<boolean> {
  const { diffusion, settings, path } = run;
  const { visited, steps } = diffusion.plan();
  let bar: ProgressBar | undefined;
  const interrupt = catchInterrupt(() => {
    bar?.stop();
    print(`Stopping; the model is trained and kept in ${path}.`);
  });
  try {
    print(`Drawing ${settings.samples} images in ${visited} steps ...`);
    const start = performance.now();
    bar = await progressBar(steps.length);
    const images = await diffusion.sample(model, {
      ...samplingOf(run, settings.samples, interrupt.signal),
      returnSteps: animationSteps(steps.length),
      onStep: ({ step }: SamplingProgress) => bar?.show(step),
    });
    bar.stop();
    const layout = layoutOf(run, settings.samples);
    await writeGrid(gridPath(path), images, layout);
    await writeAnimation(
      animationPath(path),
      images.steps.map((step) => step.images),
      layout,
    );
    print(`Drawn in ${formatDuration((performance.now() - start) / 1000)}.`);
    return true;
  } catch (error) {
    if (interrupt.signal.aborted) return false;
    throw error;
  } finally {
    bar?.stop();
    interrupt.release();
  }
}

function samplingOf({ dataset, settings, trainer, backend }: TrainingRun, batchSize: number, signal: AbortSignal) {
  const { height, width } = dataset;
  const { numClasses } = trainer.model;
  const classes = numClasses > 0 ? classesInTurn(allClasses(numClasses), batchSize) : undefined;
  // The same seed each time, so that the same images can be seen getting better.
  return { batchSize, classes, imageSize: [height, width] as const, seed: settings.training.seed, backend, signal };
}

function layoutOf({ trainer }: TrainingRun, batchSize: number): GridLayout {
  return { columns: columnsOfClasses(allClasses(trainer.model.numClasses), batchSize) };
}
