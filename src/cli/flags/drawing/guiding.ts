import type { Command } from "commander";
import { Option } from "commander";
import type { NoisyClassifier } from "../../../diffusion/sampling/classifier.ts";
import { sameShape } from "../../../tensor/shape.ts";
import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { classifierFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import { numberWithin } from "../../../config/rules.ts";
import { openCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { allClasses, classesInTurn, classesNamed, columnsOfClasses } from "./classes.ts";
import type { EditingFlags } from "./editing.ts";
import { numberFlag } from "../flags.ts";
import { programName } from "../../program-name.ts";

/** Images where neither a number nor classes ask for more. */
const FEW_IMAGES = 16;

export interface GuidingFlags {
  readonly number?: number;
  /** Names or numbers with commas between them, or all. */
  readonly class?: string;
  readonly guidance?: number;
  readonly rescalePhi?: number;
  /** A classifier's checkpoint file or run directory. */
  readonly classifier?: string;
}

export function addGuidingFlags(command: Command): void {
  const options = [
    new Option(
      "--class <names>",
      "names or numbers of the classes to draw in turn, separated by commas (default: all that the model knows)",
    ),
    new Option(
      "--guidance <scale>",
      "how strongly the class shapes the image: 1 as trained, 2 to 5 clearer and less varied (default: 1)",
    ).argParser(numberFlag(numberWithin(-100, 100))),
    new Option(
      "--rescale-phi <x>",
      "give guided images the contrast of unguided ones, from 0 (not) to 1 (fully); try 0.7 if they look too harsh (default: 0)",
    ).argParser(numberFlag(numberWithin(0, 1))),
    new Option(
      "--classifier <path>",
      "guide with this classifier of noisy images, a run or a checkpoint, even if the model knows no classes",
    ),
  ];
  for (const option of options) command.addOption(option.helpGroup("Classes:"));
}

/** Which images are drawn, and what guides them. */
export interface Wanted {
  readonly number: number;
  /** One for each image; undefined where nothing knows classes. */
  readonly classes?: readonly number[] | undefined;
  /** A column for each class of a grid, if there are not too many. */
  readonly columns?: number | undefined;
  readonly guidance: {
    readonly condScale?: number | undefined;
    readonly rescaledPhi?: number | undefined;
    readonly classifier?: NoisyClassifier;
    readonly classifierScale?: number | undefined;
  };
}

/**
 * What the flags ask of a checkpoint's model: the classes they name, or all in turn, or no class in particular where an
 * image is edited, which may be of any.
 *
 * @throws Error of one line if the model cannot do it
 */
export async function wantedOf(flags: GuidingFlags & EditingFlags, checkpoint: Checkpoint): Promise<Wanted> {
  const { number, guidance, rescalePhi: rescaledPhi } = flags;
  const { model } = checkpoint.config;
  const isAnyClass = flags.class === undefined && (flags.init ?? flags.inpaint) !== undefined;
  if (isAnyClass && (guidance ?? flags.classifier) !== undefined) {
    throw new Error("--guidance and --classifier: need --class where an image is edited");
  }
  if (flags.classifier !== undefined) {
    if (rescaledPhi !== undefined) throw new Error("--rescale-phi: is for guidance without --classifier");
    const { classifier, classNames } = await openClassifier(flags.classifier, checkpoint);
    return { ...imagesOf(flags, classNames), guidance: { classifier, classifierScale: guidance } };
  }
  if (model.numClasses === 0) {
    const flag = (["class", "guidance", "rescalePhi"] as const).find((name) => flags[name] !== undefined);
    if (flag === undefined) return { number: number ?? FEW_IMAGES, guidance: {} };
    const advice = `"${programName()} train --preset fashion-mnist-classes" trains one that is, --classifier guides this one`;
    throw new Error(
      `--${flag === "rescalePhi" ? "rescale-phi" : flag}: this model is not class-conditional; ${advice}`,
    );
  }
  if (isAnyClass) {
    checkKnowsNoClass("--class", checkpoint);
    return { number: number ?? FEW_IMAGES, guidance: {} };
  }
  if (guidance !== undefined && guidance !== 1) checkKnowsNoClass("--guidance", checkpoint);
  return { ...imagesOf(flags, classNamesOf(checkpoint)), guidance: { condScale: condScaleOf(guidance), rescaledPhi } };
}

/** Nothing for 1, which as a scale would be a second evaluation of the network for the same images. */
export function condScaleOf(guidance: number | undefined): number | undefined {
  return guidance === 1 ? undefined : guidance;
}

/**
 * What the two ends of an interpolation are of: one class or one for each, as --class names them, or none in particular.
 *
 * @throws Error of one line if the model cannot be told that
 */
export function endClasses(
  named: string | undefined,
  checkpoint: Checkpoint,
): { readonly classes?: readonly number[]; readonly toClasses?: readonly number[] } {
  if (named === undefined) {
    checkKnowsNoClass("interpolate without --class", checkpoint);
    return {};
  }
  if (checkpoint.config.model.numClasses === 0) throw new Error("--class: this model is not class-conditional");
  const [from, to = from, ...more] = classesNamed(named, classNamesOf(checkpoint));
  if (more.length > 0) throw new Error(`--class: takes one class or two, got ${more.length + 2}`);
  return { classes: [from], toClasses: [to] };
}

function classNamesOf({ config: { model, dataset } }: Checkpoint): readonly string[] {
  return dataset.classNames ?? allClasses(model.numClasses).map(String);
}

/** @throws Error of one line if a model that knows classes never saw images without them */
function checkKnowsNoClass(subject: string, { config: { model, training } }: Checkpoint): void {
  if (model.numClasses === 0 || training.condDropProb > 0) return;
  throw new Error(`${subject}: this model was trained with --cond-drop-prob 0, so it does not know images of no class`);
}

function imagesOf({ class: named, number }: GuidingFlags, names: readonly string[]): Omit<Wanted, "guidance"> {
  const turn = named === undefined ? allClasses(names.length) : classesNamed(named, names);
  const count = number ?? fewOf(turn.length);
  return { number: count, classes: classesInTurn(turn, count), columns: columnsOfClasses(turn, count) };
}

/** About {@link FEW_IMAGES}, equally many of each class where each gets some. */
function fewOf(classes: number): number {
  return classes > FEW_IMAGES ? FEW_IMAGES : Math.ceil(FEW_IMAGES / classes) * classes;
}

/** Opens a classifier that has learned from the same kind of images in the same noise. */
async function openClassifier(
  path: string,
  { config, betas }: Checkpoint,
): Promise<{ classifier: NoisyClassifier; classNames: readonly string[] }> {
  const { checkpoint: found } = await openCheckpoint(path);
  const { dataset, model } = found.config;
  if (model.architecture !== "unetClassifier") {
    throw new Error(`--classifier: ${path} is a model that draws images, not a classifier of noisy ones`);
  }
  const size = ({ height, width, channels }: typeof dataset): number[] => [height, width, channels];
  if (!sameShape(size(dataset), size(config.dataset))) {
    const [own, other] = [config.dataset, dataset].map((images) => size(images).join(" x "));
    throw new Error(`--classifier: ${path} knows images of ${other}, the model draws ${own}`);
  }
  if (String(found.betas) !== String(betas)) {
    throw new Error(`--classifier: ${path} was trained with another noise schedule than the model`);
  }
  const classifier = await classifierFromCheckpoint(found);
  return { classifier, classNames: classNamesOf(found) };
}
