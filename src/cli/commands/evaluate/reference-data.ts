import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { LatestCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { HUB, isPublished, openData } from "../../flags/images/dataset.ts";
import type { DataSettings } from "../../flags/images/dataset.ts";
import type { EvaluateFlags } from "./flags.ts";
import { recordedCommand } from "../../runs/runs.ts";

/** The images that a dataset is compared with. What a directory leaves open is taken from them. */
export interface ComparedImages {
  /** Undefined where they have several. */
  readonly imageSize?: readonly [height: number, width: number] | undefined;
  /** Undefined where those of the dataset decide. */
  readonly channels?: number | undefined;
}

/** Opens the dataset that samples are compared with: the one that is named, or the one that the model learned from. */
export async function openReferenceData(
  { data, split, skipBroken }: Required<Pick<EvaluateFlags, "split">> & Pick<EvaluateFlags, "data" | "skipBroken">,
  found: LatestCheckpoint | undefined,
  { imageSize, channels }: ComparedImages,
  say: (line: string) => void,
): Promise<ImageDataset> {
  const settings = { imageSize, channels, split, skipBroken };
  const named = data === undefined ? await learnedFrom(found) : { data };
  const dataset = await openData({ ...settings, ...named, ...(skipBroken && { skipBroken }) }, say);
  if (found === undefined) return dataset;
  const [drawn, there] = [
    [...(imageSize ?? []), channels],
    [dataset.height, dataset.width, dataset.channels],
  ];
  if (String(drawn) === String(there)) return dataset;
  throw new Error(`the model draws images [${drawn.join(", ")}], those of ${dataset.name} are [${there.join(", ")}]`);
}

/** What a run's config.json says, or the name of the dataset in the checkpoint. */
async function learnedFrom(found: LatestCheckpoint | undefined): Promise<DataSettings> {
  if (found === undefined) throw new Error("--images needs a dataset to compare with: name one with --data");
  const recorded = await recordedCommand(dirname(dirname(found.path)));
  if (recorded !== undefined) {
    const { data, classes, skipBroken } = recorded.settings;
    return { data, classes, skipBroken, startedIn: recorded.startedIn };
  }
  const { name } = found.checkpoint.config.dataset;
  const [data] = name.split(" ");
  if (isPublished(data)) return { data };
  if (name.startsWith(HUB)) return { data: name };
  if (existsSync(name)) return { data: name };
  throw new Error(`${found.path}: its dataset ${name} is not there: name one with --data`);
}
