import type { ImageDataset } from "../../../data/dataset.ts";
import { openData } from "../../flags/images/dataset.ts";
import { fromFirst } from "../../ranks/from-first.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import { fitToData } from "./fit-to-data.ts";
import { planRun } from "./plan.ts";
import type { PlanFlags, PlannedRun } from "./plan.ts";

/** The plan of the first of several processes, which alone looks at what is there. The others are told what they need. */
export async function sharedPlan(ranks: Ranks, flags: PlanFlags): Promise<PlannedRun> {
  const own = ranks.rank === 0 ? await planRun(flags) : undefined;
  const told = await fromFirst(
    ranks,
    () => own && { path: own.path, settings: own.settings, startedIn: own.startedIn },
  );
  if (own !== undefined) return own;
  if (told === undefined) throw new Error("internal: no plan of rank 0");
  return { ...told, changes: [] };
}

/** Opens the images, the first process before the others: it may have to fetch what they find then. */
export async function sharedData(ranks: Ranks, ...given: Parameters<typeof openData>): Promise<ImageDataset> {
  if (ranks.rank !== 0) await ranks.meet();
  const dataset = await openData(...given);
  if (ranks.rank === 0) await ranks.meet();
  return dataset;
}

/** The settings of a plan, with what is left open fitted to the images. */
export function sharedSettings(
  ranks: Ranks,
  { settings, recorded, initFrom }: PlannedRun,
  dataset: ImageDataset,
  flags: PlanFlags,
  say: (line: string) => void,
): Promise<RunSettings> {
  // Of a network that has weights already nothing is left open.
  const given = initFrom === undefined ? flags : { ...flags, ...settings.model };
  return fromFirst(ranks, () => (recorded === undefined ? fitToData(settings, dataset, given, say) : settings));
}
