import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Backend } from "../../../backend/backend.ts";
import { DeviceLost } from "../../../backend/common/device-lost.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { Diffusion } from "../../../diffusion/diffusion.ts";
import type { SamplingProgress } from "../../../diffusion/sampling/sampling.ts";
import { writeFileAtomic } from "../../../io/atomic.node.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { architectureNamed } from "../../../models/registry.ts";
import { RunDirectory, listCheckpoints } from "../../../checkpoint/run-directory.node.ts";
import { Trainer } from "../../../training/trainer.ts";
import { allClasses, classesInTurn, columnsOfClasses } from "../../flags/classes.ts";
import { classifierReport } from "./classifier-report.ts";
import { describeDevice } from "../../flags/device.ts";
import { formatCount, formatDuration } from "../../output/format.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import type { Interrupt } from "../../interrupt.ts";
import { lossCurve } from "../../output/loss-curve.ts";
import { animationSteps, writeAnimation, writeGrid } from "../../output/pictures.ts";
import type { GridLayout } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { programName } from "../../program-name.ts";
import { progressBar, progressDisplay } from "../../output/progress.ts";
import type { ProgressBar, ProgressDisplay } from "../../output/progress.ts";
import { diffusionOf, modelOf } from "../../runs/run-parts.ts";
import type { RunSettings } from "../../runs/run-settings.ts";

/** Images of a grid that is drawn while the model trains. */
const PREVIEW_IMAGES = 16;

/** Everything that a run works with. */
interface Run {
  readonly path: string;
  readonly settings: RunSettings;
  readonly directory: RunDirectory;
  readonly dataset: ImageDataset;
  readonly diffusion: Diffusion;
  readonly backend: Backend;
  readonly trainer: Trainer;
  readonly voice: Voice;
}

/** How a run and its device speak now: around the bar while there is one. */
export interface Voice {
  say: (line: string) => void;
}

/**
 * Trains a run to its end, draws its samples, and says how it gets on.
 *
 * @returns the exit code
 */
export async function trainRun(
  path: string,
  settings: RunSettings,
  dataset: ImageDataset,
  backend: Backend,
  voice: Voice,
): Promise<number> {
  const run = buildRun(path, settings, dataset, backend, voice);
  const startStep = await run.trainer.prepare();
  introduce(run, startStep);
  const totalSteps = run.trainer.totalSteps(settings.length);
  if (startStep < totalSteps && !(await trainSteps(run, startStep, totalSteps))) return EXIT_INTERRUPTED;
  const isNew = startStep < totalSteps;
  if (!isNew) print(`Finished: ${formatCount(startStep)} steps are done, ${formatCount(totalSteps)} were asked for.`);
  const { samplingModel } = run.trainer;
  if (samplingModel.predicts === "classes") {
    print(await classifierReport(path, samplingModel, run.diffusion, dataset, backend));
    return 0;
  }
  if ((isNew || !(await hasFinalPictures(path))) && !(await drawFinalPictures(run, samplingModel)))
    return EXIT_INTERRUPTED;
  conclude(run);
  return 0;
}

function buildRun(path: string, settings: RunSettings, dataset: ImageDataset, backend: Backend, voice: Voice): Run {
  const model = modelOf(settings, dataset.channels);
  const diffusion = diffusionOf(settings);
  const notes = { command: settings };
  const directory = new RunDirectory(path, { keepCheckpoints: settings.keep, notes });
  const { saveEvery, training } = settings;
  const trainer = new Trainer({
    ...training,
    model,
    diffusion,
    dataset,
    runDirectory: directory,
    saveEvery,
    backend,
    log: (line) => voice.say(line),
  });
  return { path, settings, directory, dataset, diffusion, backend, trainer, voice };
}

function introduce({ path, settings, directory, dataset, backend, trainer }: Run, startStep: number): void {
  const { name, length, height, width, source } = dataset;
  print(`run     ${path}, preset ${settings.preset}`);
  print(`data    ${name}: ${formatCount(length)} images of ${height} x ${width} from ${source}`);
  const { title } = architectureNamed(trainer.model.architecture);
  print(`model   ${title} of ${formatCount(trainer.model.parameterCount())} parameters`);
  print(`device  ${describeDevice(backend)}`);
  for (const fault of directory.faults) print(`passed over ${fault}`);
  if (startStep > 0) print(`going on from step ${formatCount(startStep)}`);
}

/** @returns false if it was interrupted */
async function trainSteps(run: Run, startStep: number, totalSteps: number): Promise<boolean> {
  const { trainer, settings } = run;
  const display = await progressDisplay(totalSteps, startStep);
  const interrupt = catchInterrupt(() => display.say("Stopping after this step; Ctrl-C again stops at once."));
  run.voice.say = (line) => display.say(line);
  display.note("compiling the training step");
  try {
    // Previews show the model of their own step.
    const pauseEvery = run.backend.name === "webgpu" ? settings.sampleEvery || Infinity : undefined;
    for await (const progress of trainer.run(settings.length, { pauseEvery })) {
      const { step, imagesPerSecond } = progress;
      const secondsLeft = ((totalSteps - step) * trainer.imagesPerStep) / imagesPerSecond;
      // The first step runs code that the engine has yet to optimise.
      display.show({ ...progress, secondsLeft: step > startStep + 1 ? secondsLeft : undefined });
      const isDue = settings.sampleEvery > 0 && step % settings.sampleEvery === 0 && step < totalSteps;
      if (isDue) await drawPreview(run, display, interrupt);
      if (interrupt.signal.aborted) break;
    }
    await trainer.save();
    await drawLoss(run);
    if (!interrupt.signal.aborted) return true;
    display.say(`Stopped at step ${trainer.step} with a checkpoint in ${run.path}. The same command goes on from it.`);
    return false;
  } catch (error) {
    if (trainer.step > startStep && !(error instanceof DeviceLost)) await saveAfterFailure(run);
    throw error;
  } finally {
    display.stop();
    run.voice.say = print;
    interrupt.release();
  }
}

/** Keeps what was learned up to a failure, such as a broken image, unless it is what failed: a full disk, divergence. */
async function saveAfterFailure(run: Run): Promise<void> {
  const isSaved = await run.trainer.save().then(
    () => true,
    () => false,
  );
  if (isSaved) run.voice.say(`Stopped at step ${run.trainer.step} with a checkpoint in ${run.path}.`);
}

async function drawLoss({ path, directory }: Run): Promise<void> {
  const lines = await directory.metrics();
  if (lines.length > 0) await writeFileAtomic(lossPath(path), lossCurve(lines, `loss of ${path}`));
}

async function drawPreview(run: Run, display: ProgressDisplay, { signal }: Interrupt): Promise<void> {
  const { samplingModel } = run.trainer;
  if (samplingModel.predicts === "classes") return;
  const path = join(run.directory.samplesPath, `step-${run.trainer.step}.png`);
  const batchSize = Math.min(PREVIEW_IMAGES, run.settings.samples);
  display.note("drawing samples");
  const images = await unlessAborted(signal, () =>
    run.diffusion.sample(samplingModel, samplingOf(run, batchSize, signal)),
  );
  if (images === undefined) return;
  await writeGrid(path, images, layoutOf(run, batchSize));
  display.say(`samples ${path}`);
}

const gridPath = (run: string): string => join(run, "samples.png");
const lossPath = (run: string): string => join(run, "loss.svg");
const animationPath = (run: string): string => join(run, "denoising.gif");

/** Whether the pictures at the end are there, and drawn after the last checkpoint. */
async function hasFinalPictures(run: string): Promise<boolean> {
  const [newest] = await listCheckpoints(run);
  const changed = async (path: string) => (await stat(path).catch(() => undefined))?.mtimeMs ?? -Infinity;
  const times = await Promise.all([gridPath(run), animationPath(run), newest.path].map(changed));
  return times[2] <= Math.min(times[0], times[1]);
}

/** @returns false if it was interrupted */
async function drawFinalPictures(run: Run, model: DiffusionModel): Promise<boolean> {
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
    const options = {
      ...samplingOf(run, settings.samples, interrupt.signal),
      returnSteps: animationSteps(steps.length),
      onStep: ({ step }: SamplingProgress) => bar?.show(step),
    };
    const images = await unlessAborted(interrupt.signal, () => diffusion.sample(model, options));
    bar.stop();
    if (images === undefined) return false;
    const layout = layoutOf(run, settings.samples);
    await writeGrid(gridPath(path), images, layout);
    await writeAnimation(
      animationPath(path),
      images.steps.map((step) => step.images),
      layout,
    );
    print(`Drawn in ${formatDuration((performance.now() - start) / 1000)}.`);
    return true;
  } finally {
    bar?.stop();
    interrupt.release();
  }
}

function samplingOf({ dataset, settings, trainer, backend }: Run, batchSize: number, signal: AbortSignal) {
  const { height, width } = dataset;
  const { numClasses } = trainer.model;
  const classes = numClasses > 0 ? classesInTurn(allClasses(numClasses), batchSize) : undefined;
  // The same seed each time, so that the same images can be seen getting better.
  return { batchSize, classes, imageSize: [height, width] as const, seed: settings.training.seed, backend, signal };
}

function layoutOf({ trainer }: Run, batchSize: number): GridLayout {
  return { columns: columnsOfClasses(allClasses(trainer.model.numClasses), batchSize) };
}

/** The result, or undefined if the signal stopped the work. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function conclude({ path, settings, trainer }: Run): void {
  const further =
    "epochs" in settings.length ? `--epochs ${settings.length.epochs * 2}` : `--steps ${trainer.step * 2}`;
  const place = `--out ${path}`;
  print(`
${gridPath(path)}     ${settings.samples} samples
${animationPath(path)}   how they came out of noise
${lossPath(path)}        the loss of every step; its numbers are in metrics.jsonl
${join(path, "checkpoints")}     the model (safetensors)

More samples:   ${programName()} sample --checkpoint ${path} -n 16
Train further:  ${programName()} train ${place} ${further}`);
}
