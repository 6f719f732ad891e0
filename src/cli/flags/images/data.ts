import { Option } from "commander";
import type { Command } from "commander";
import { wholeNumber } from "../../../config/rules.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import { numberFlag } from "../flags.ts";
import { imageSizeFlag } from "./image-size.ts";

/** How images are read: flags that all commands have which take data, so that what trains a model also evaluates it. */
export interface DataFlags {
  readonly skipBroken?: boolean;
}

/** Of commands that no model tells the size and the channels of images. */
export interface SizedDataFlags extends DataFlags {
  readonly imageSize?: ImageSize;
  readonly channels?: number;
}

export const DATA_PLACES = "fashion-mnist, mnist, cifar10, hub:<dataset>, or a path";

export function addDataFlags(command: Command): Command {
  return command.addOption(skipBrokenOption());
}

export function addSizedDataFlags(command: Command): Command {
  return addDataFlags(command.addOption(imageSizeOption()).addOption(channelsOption()));
}

export function skipBrokenOption(): Option {
  return new Option("--skip-broken", "leave out images of a directory that cannot be read");
}

export function imageSizeOption(): Option {
  return new Option(
    "--image-size <size>",
    "side, or width x height as in 48x32, that a directory's images are scaled and cut to (default: by the images)",
  ).argParser(imageSizeFlag);
}

export function channelsOption(): Option {
  return new Option(
    "--channels <n>",
    "1 to read a directory's images in gray, 3 in colour (default: by the images)",
  ).argParser(numberFlag(wholeNumber(1, 3)));
}
