import type { Backend } from "../../../backend/backend.ts";
import { RunDirectory } from "../../../checkpoint/run-directory.node.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { Diffusion } from "../../../diffusion/diffusion.ts";
import { Trainer } from "../../../training/trainer.ts";
import { diffusionOf, modelOf } from "../../runs/run-parts.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { PlannedRun } from "./plan.ts";

/** Everything that a run works with. */
export interface TrainingRun extends PlannedRun {
  readonly directory: RunDirectory;
  readonly dataset: ImageDataset;
  readonly diffusion: Diffusion;
  readonly backend: Backend;
  readonly trainer: Trainer;
  readonly voice: Voice;
  /** The processes that train together. */
  readonly ranks: Ranks;
}

/** How a run and its device speak now: around the bar while there is one. */
export interface Voice {
  say: (line: string) => void;
}

/** @throws Error of one line if the parts do not fit each other */
export function buildRun(
  plan: PlannedRun,
  dataset: ImageDataset,
  backend: Backend,
  voice: Voice,
  ranks: Ranks,
): TrainingRun {
  const { path, settings, startedIn, initFrom } = plan;
  const model = modelOf(settings, dataset.channels);
  const diffusion = diffusionOf(settings);
  const notes = { command: settings, startedIn };
  const directory = new RunDirectory(path, { keepCheckpoints: settings.keep, notes });
  const { saveEvery, training } = settings;
  const trainer = new Trainer({
    ...training,
    model,
    diffusion,
    dataset,
    initFrom,
    runDirectory: directory,
    saveEvery,
    backend,
    collective: ranks,
    log: (line) => voice.say(line),
  });
  return { ...plan, directory, dataset, diffusion, backend, trainer, voice, ranks };
}
