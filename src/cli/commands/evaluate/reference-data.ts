import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { LatestCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { isPublished, openData } from "../../flags/dataset.ts";
import type { DataSettings } from "../../flags/dataset.ts";
import type { EvaluateFlags } from "./flags.ts";
import { recordedCommand } from "../../runs/runs.ts";

/** Opens the dataset that samples are compared with: the one that is named, or the one that the model learned from. */
export async function openReferenceData(
  { data, split }: Required<Pick<EvaluateFlags, "split">> & Pick<EvaluateFlags, "data">,
  found: LatestCheckpoint | undefined,
  say: (line: string) => void,
): Promise<ImageDataset> {
  const shape = found?.checkpoint.config.dataset;
  const imageSize = shape ? ([shape.height, shape.width] as const) : 28;
  const settings = { data, imageSize, channels: shape?.channels ?? 1, split };
  const dataset = await openData(
    data === undefined ? { ...settings, ...(await learnedFrom(found)) } : { ...settings, data },
    say,
  );
  if (shape === undefined) return dataset;
  const { height, width, channels, name } = dataset;
  if (height === shape.height && width === shape.width && channels === shape.channels) return dataset;
  throw new Error(
    `the model draws images [${shape.height}, ${shape.width}, ${shape.channels}], ` +
      `those of ${name} are [${height}, ${width}, ${channels}]`,
  );
}

/** What a run's config.json says, or the name of the dataset in the checkpoint. */
async function learnedFrom(found: LatestCheckpoint | undefined): Promise<DataSettings> {
  if (found === undefined) throw new Error("--images needs a dataset to compare with: name one with --data");
  const recorded = await recordedCommand(dirname(dirname(found.path)));
  if (recorded !== undefined) {
    const { data, classes, skipBroken } = recorded.settings;
    return { data, classes, ...(skipBroken && { skipBroken }), startedIn: recorded.startedIn };
  }
  const { name } = found.checkpoint.config.dataset;
  const [data] = name.split(" ");
  if (isPublished(data)) return { data };
  if (existsSync(name)) return { data: name };
  throw new Error(`${found.path}: its dataset ${name} is not there: name one with --data`);
}
