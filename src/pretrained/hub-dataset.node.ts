import { checkOptions } from "../config/rules.ts";
import { parquetDataset } from "../data/parquet/parquet-dataset.node.ts";
import type { ParquetDataset, ParquetDatasetOptions } from "../data/parquet/parquet-dataset.node.ts";
import { HubSource } from "./hub/hub-source.node.ts";
import type { HubOptions } from "./hub/settings.node.ts";

export interface HubDatasetOptions extends Omit<ParquetDatasetOptions, "files" | "name" | "source">, HubOptions {
  /** Which of several datasets of the repository, by the name of its folder. */
  readonly config?: string | undefined;
  /** `train` by default. */
  readonly split?: string | undefined;
}

/** Where the hub keeps the Parquet files that it has made of a repository's own. */
const CONVERTED = "refs/convert/parquet";

const optionTypes = {
  config: "string",
  split: "string",
  revision: "string",
  token: "any",
  cacheDir: "string",
  localFilesOnly: "boolean",
  onProgress: "function",
  log: "function",
  signal: "object",
  imageColumn: "string",
  labelColumn: "string",
  width: "number",
  height: "number",
  channels: "number",
  classes: "boolean",
  sizeMultiple: "number",
  memoryBytes: "number",
} as const satisfies Record<keyof HubDatasetOptions, string>;

/**
 * A dataset of images of the Hugging Face hub, from its Parquet files: its own, or those that the hub has made of it. They
 * are fetched into the cache that Python shares.
 *
 * @param id `name` or `owner/name`
 * @example
 * const dataset = await hubDataset("zalando-datasets/fashion_mnist", { split: "test" });
 * @throws Error of one line if there is no such dataset, or none of images in Parquet files
 */
export async function hubDataset(id: string, options: HubDatasetOptions = {}): Promise<ParquetDataset> {
  checkOptions("hubDataset", options, optionTypes);
  const {
    config,
    split = "train",
    revision,
    token,
    cacheDir,
    localFilesOnly,
    onProgress,
    log,
    signal,
    ...own
  } = options;
  const hub = { revision, token, cacheDir, localFilesOnly, onProgress, log, signal };
  let source = await HubSource.open("dataset", id, hub);
  let found = filesOf(await source.paths(), config, split, id);
  if (found.length === 0 && revision === undefined) {
    const converted = await HubSource.open("dataset", id, { ...hub, revision: CONVERTED }).catch(() => undefined);
    source = converted ?? source;
    found = filesOf(await source.paths(), config, split, id);
  }
  if (found.length === 0) throw new Error(`${id}: has no Parquet files, nor has the hub made any of it`);
  const files: string[] = [];
  for (const path of found) {
    const file = await source.withFile(path, ({ name }) => Promise.resolve(name));
    if (file !== undefined) files.push(file);
  }
  return parquetDataset({ ...own, files, name: `${id} ${split}`, source: source.name });
}

/**
 * The Parquet files of a split: `data/train-00000-of-00001.parquet`, `<config>/train-...`, or `<config>/train/0000.parquet`.
 *
 * @throws Error of one line if there are several datasets and none was named
 */
export function filesOf(paths: readonly string[], config: string | undefined, split: string, id: string): string[] {
  const all = paths.filter((path) => path.endsWith(".parquet")).map(placeOf);
  const configs = [...new Set(all.map((file) => file.config))].toSorted();
  if (config !== undefined && all.length > 0 && !configs.includes(config)) {
    throw new Error(`${id}: config must be one of ${configs.join(", ")}, got ${config}`);
  }
  const usual = configs.length === 1 ? configs[0] : configs.find((name) => name === "default" || name === "data");
  const chosen = config ?? usual;
  if (chosen === undefined && configs.length > 1) {
    throw new Error(`${id}: has several datasets, ${configs.join(", ")}: name one as config`);
  }
  const ofConfig = all.filter((file) => file.config === chosen);
  const ofSplit = ofConfig.filter((file) => file.split === split);
  if (ofSplit.length === 0 && ofConfig.length > 0) {
    const splits = [...new Set(ofConfig.map((file) => file.split))].toSorted();
    throw new Error(`${id}: split must be one of ${splits.join(", ")}, got ${split}`);
  }
  return ofSplit.map(({ path }) => path).toSorted();
}

interface Place {
  readonly path: string;
  readonly config: string;
  readonly split: string;
}

function placeOf(path: string): Place {
  const folders = path.split("/").slice(0, -1);
  const file = path.slice(path.lastIndexOf("/") + 1, -".parquet".length);
  const named = /^(\w+(?:[.-][A-Za-z]\w*)*)-\d+-of-\d+(?:-[0-9a-f]+)?$/.exec(file)?.[1];
  if (named !== undefined) return { path, config: folders.join("/"), split: named };
  // Of the hub's own: a number in a folder for each split.
  return /^\d+$/.test(file)
    ? { path, config: folders.slice(0, -1).join("/"), split: folders.at(-1) ?? "train" }
    : { path, config: folders.join("/"), split: file };
}
