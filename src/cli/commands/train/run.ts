import type { Backend } from "../../../backend/backend.ts";
import { DeviceLost } from "../../../backend/common/device-lost.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import { formatCount } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { progressDisplay } from "../../output/progress.ts";
import { classifierReport } from "./classifier-report.ts";
import { checkFinalPictures, drawFinalPictures, drawLoss, drawPreview, hasFinalPictures } from "./pictures.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { PlannedRun } from "./plan.ts";
import { conclude, introduce } from "./report.ts";
import { buildRun } from "./training-run.ts";
import type { TrainingRun, Voice } from "./training-run.ts";

/**
 * Trains a run to its end, draws its samples, and says how it gets on.
 *
 * @returns the exit code
 */
export async function trainRun(
  plan: PlannedRun,
  dataset: ImageDataset,
  backend: Backend,
  voice: Voice,
  ranks: Ranks,
): Promise<number> {
  const run = buildRun(plan, dataset, backend, voice, ranks);
  checkFinalPictures(run);
  if (ranks.rank === 0) await run.directory.lock();
  try {
    return await trainToEnd(run);
  } finally {
    run.directory.release();
  }
}

/** @returns the exit code */
async function trainToEnd(run: TrainingRun): Promise<number> {
  const { path, settings, dataset, backend } = run;
  const startStep = await run.trainer.prepare();
  introduce(run, startStep);
  const totalSteps = run.trainer.totalSteps(settings.length);
  if (startStep < totalSteps && !(await trainSteps(run, startStep, totalSteps))) return EXIT_INTERRUPTED;
  if (run.ranks.rank !== 0) return 0;
  const isNew = startStep < totalSteps;
  if (!isNew) print(`Finished: ${formatCount(startStep)} steps are done, ${formatCount(totalSteps)} were asked for.`);
  const { samplingModel } = run.trainer;
  if (samplingModel.predicts === "classes") {
    print(...(await classifierReport(path, samplingModel, run.diffusion, dataset, backend)));
    return 0;
  }
  if ((isNew || !(await hasFinalPictures(path))) && !(await drawFinalPictures(run, samplingModel)))
    return EXIT_INTERRUPTED;
  conclude(run);
  return 0;
}

/** @returns false if it was interrupted */
async function trainSteps(run: TrainingRun, startStep: number, totalSteps: number): Promise<boolean> {
  const { trainer, settings, ranks } = run;
  const display = await progressDisplay(totalSteps, startStep);
  const interrupt = catchInterrupt(() => {
    // A launcher sends such signals also where another process has failed.
    if (ranks.size === 1) display.say("Stopping after this step; Ctrl-C again stops at once.");
  });
  run.voice.say = (line) => display.say(line);
  display.note("compiling the training step");
  try {
    // Previews show the model of their own step.
    const pauseEvery = run.backend.name === "webgpu" ? settings.sampleEvery || Infinity : undefined;
    for await (const progress of trainer.run(settings.length, { pauseEvery, signal: interrupt.signal })) {
      const { step, imagesPerSecond } = progress;
      const secondsLeft = ((totalSteps - step) * trainer.imagesPerStep) / imagesPerSecond;
      // The first step runs code that the engine has yet to optimise.
      display.show({ ...progress, secondsLeft: step > startStep + 1 ? secondsLeft : undefined });
      const { validationLoss } = progress;
      if (validationLoss !== undefined)
        display.say(`step ${step}  loss of held-out images ${validationLoss.toFixed(4)}`);
      const isDue = settings.sampleEvery > 0 && step % settings.sampleEvery === 0 && step < totalSteps;
      if (isDue) {
        display.note("drawing samples");
        if (ranks.rank === 0) await drawPreview(run, interrupt.signal);
        await ranks.meet();
      }
    }
    await trainer.save();
    if (ranks.rank === 0) await drawLoss(run);
    if (trainer.step === totalSteps) return true;
    display.say(`Stopped at step ${trainer.step} with a checkpoint in ${run.path}. The same command goes on from it.`);
    return false;
  } catch (error) {
    const isAlone = ranks.size === 1;
    if (isAlone && trainer.step > startStep && !(error instanceof DeviceLost)) await saveAfterFailure(run);
    throw error;
  } finally {
    display.stop();
    run.voice.say = print;
    interrupt.release();
  }
}

/** Keeps what was learned up to a failure, such as a broken image, unless it is what failed: a full disk, divergence. */
async function saveAfterFailure(run: TrainingRun): Promise<void> {
  const isSaved = await run.trainer.save().then(
    () => true,
    () => false,
  );
  if (isSaved) run.voice.say(`Stopped at step ${run.trainer.step} with a checkpoint in ${run.path}.`);
}
