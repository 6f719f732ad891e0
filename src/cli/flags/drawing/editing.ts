import { Option } from "commander";
import type { Command } from "commander";
import type { SampleOptions } from "../../../diffusion/sampling/sample.ts";
import { RESAMPLES } from "../../../diffusion/samplers/parts/repaint.ts";
import { numberWithin, wholeNumber } from "../../../config/rules.ts";
import { print } from "../../output/print.ts";
import { numberFlag } from "../flags.ts";
import { RESIZE_HELP, openImage, openMask } from "../images/open-image.ts";
import type { ModelImages } from "../images/open-image.ts";

/** As much as diffusers changes an image. */
const STRENGTH = 0.8;

export interface EditingFlags {
  readonly init?: string;
  readonly strength?: number;
  readonly inpaint?: string;
  readonly mask?: string;
  readonly resamples?: number;
  readonly jumpLength?: number;
  readonly resize?: boolean;
}

export function addEditingFlags(command: Command): void {
  const count = numberFlag(wholeNumber(1));
  const options = [
    new Option("--init <image>", "start from this image plus noise instead of from noise alone"),
    new Option(
      "--strength <x>",
      `how much of --init changes: the share of the steps that are run, 0 leaves it as it is (default: ${STRENGTH})`,
    ).argParser(numberFlag(numberWithin(0, 1))),
    new Option("--inpaint <image>", "repaint only a part of this image (RePaint), with ddpm by default"),
    new Option(
      "--mask <image>",
      "which part: paint where it is white, keep the image where it is black or transparent",
    ),
    new Option(
      "--resamples <n>",
      `how often each stretch of steps is run, so that both parts fit (default: ${RESAMPLES})`,
    ).argParser(count),
    new Option("--jump-length <n>", "steps of such a stretch (default: 10)").argParser(count),
    new Option("--resize", RESIZE_HELP),
  ];
  for (const option of options) command.addOption(option.helpGroup("Editing:"));
}

export type Edits = Pick<SampleOptions, "init" | "strength" | "image" | "mask" | "resamples" | "jumpLength">;

/**
 * Opens the images that are to be edited.
 *
 * @param steps of the whole way, of which a share is run: one at least, unless --strength says otherwise
 */
export async function openEdits(flags: EditingFlags, size: ModelImages, steps: number): Promise<Edits> {
  const { init, strength, inpaint, mask, resamples, jumpLength, resize = false } = flags;
  if (init === undefined && strength !== undefined) throw new Error("--strength: is for --init <image>");
  if ((inpaint === undefined) !== (mask === undefined)) {
    throw new Error("--inpaint <image> and --mask <image>: give both or none");
  }
  if (inpaint === undefined && (resamples ?? jumpLength) !== undefined) {
    throw new Error("--resamples and --jump-length: are for --inpaint <image>");
  }
  if (resize && init === undefined && inpaint === undefined) {
    throw new Error("--resize: is for --init and --inpaint");
  }
  return {
    ...(init !== undefined && {
      init: await openImage(init, size, resize),
      strength: strength ?? Math.max(STRENGTH, 1 / steps),
    }),
    ...(inpaint !== undefined && {
      image: await openImage(inpaint, size, resize),
      mask: await openMask(mask ?? "", size, resize, print),
      resamples: resamples ?? RESAMPLES,
      jumpLength,
    }),
  };
}
