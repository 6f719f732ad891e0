import type { RunConfig } from "../training/run-config.ts";
import { allClasses, classesInTurn, classesNamed, columnsOfClasses } from "./classes.ts";
import { programName } from "./program-name.ts";
import type { SampleFlags } from "./sample.ts";

/** Images where neither a number nor classes ask for more. */
const FEW_IMAGES = 16;

/** Which images are drawn, and what guides them. */
export interface Wanted {
  readonly number: number;
  /** One for each image; undefined for a model without classes. */
  readonly classes: readonly number[] | undefined;
  /** A column for each class of a grid, if there are not too many. */
  readonly columns: number | undefined;
  readonly condScale: number | undefined;
  readonly rescaledPhi: number | undefined;
}

/**
 * What the flags ask of a checkpoint's model: the classes they name, or all in turn.
 *
 * @throws Error of one line if the model cannot do it
 */
export function wantedOf(flags: SampleFlags, { model, dataset, training }: RunConfig): Wanted {
  const { class: named, guidance, rescalePhi, number } = flags;
  if (model.numClasses === 0) {
    const flag = named === undefined ? (guidance === undefined ? undefined : "--guidance") : "--class";
    if (flag === undefined) return { number: number ?? FEW_IMAGES, ...WITHOUT_CLASSES };
    const advice = `"${programName()} train --preset fashion-mnist-classes" trains one that is`;
    throw new Error(`${flag}: this model is not class-conditional; ${advice}`);
  }
  if (guidance !== undefined && guidance !== 1 && training.condDropProb === 0) {
    throw new Error(
      "--guidance: this model was trained with --cond-drop-prob 0, so it does not know images of no class",
    );
  }
  const names = dataset.classNames ?? allClasses(model.numClasses).map(String);
  const turn = named === undefined ? allClasses(model.numClasses) : classesNamed(named, names);
  const count = number ?? fewOf(turn.length);
  return {
    number: count,
    classes: classesInTurn(turn, count),
    columns: columnsOfClasses(turn, count),
    condScale: guidance,
    rescaledPhi: rescalePhi,
  };
}

const WITHOUT_CLASSES = { classes: undefined, columns: undefined, condScale: undefined, rescaledPhi: undefined };

/** About {@link FEW_IMAGES}, equally many of each class where each gets some. */
function fewOf(classes: number): number {
  return classes > FEW_IMAGES ? FEW_IMAGES : Math.ceil(FEW_IMAGES / classes) * classes;
}
