import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../../data/published/cache.node.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { errorLine } from "../../io/file-errors.node.ts";
import { readSafetensors, writeSafetensors } from "../../io/safetensors/safetensors.node.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { datasetFingerprint } from "../content-fingerprint.node.ts";
import type { FeatureExtractor } from "./feature-extractor.ts";
import { fingerprint } from "../fingerprint.ts";
import { referenceOf } from "../reference.ts";
import type { Reference } from "../reference.ts";
import { checkOptions } from "../../config/rules.ts";

export interface CachedReferenceOptions {
  /** Where features are looked for and kept, `cacheDirectory()` by default; false to keep nothing. */
  readonly cache?: string | false | undefined;
  /** The dataset's fingerprint, where it is known. */
  readonly content?: string | undefined;
  /** Is told how many images are done; not called where the cache has the features. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Is given one line if nothing could be kept. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * The features of a dataset, from the cache if they were computed before. They are known by the network's weights and
 * by every byte of the images, so that neither may change unnoticed.
 */
export async function cachedReference(
  dataset: ImageDataset,
  extractor: FeatureExtractor,
  options: CachedReferenceOptions = {},
): Promise<Reference> {
  checkOptions("cachedReference", options, {
    cache: "any",
    content: "string",
    onProgress: "function",
    log: "function",
  });
  const { cache = cacheDirectory(), content, onProgress, log } = options;
  if (cache === false) return referenceOf(dataset, extractor, onProgress);
  const key = await keyOf(content ?? (await datasetFingerprint(dataset)), extractor);
  const directory = join(cache, "features");
  const path = join(directory, `${key.slice(0, 32)}.safetensors`);
  const known = await readReference(path, key, dataset, extractor).catch(() => undefined);
  if (known) return known;
  const reference = await referenceOf(dataset, extractor, onProgress);
  try {
    await mkdir(directory, { recursive: true });
    await writeSafetensors(path, tensorsOf(reference), { key, dataset: dataset.name, network: extractor.network.name });
  } catch (error) {
    log?.(`no features kept: ${errorLine(error)}`);
  }
  return reference;
}

async function keyOf(content: string, extractor: FeatureExtractor): Promise<string> {
  const of = `2 ${await fingerprint(extractor.network)} ${content}`;
  return createHash("sha256").update(of).digest("hex");
}

function tensorsOf({ features, gaussian, spread }: Reference): Map<string, SafeTensor> {
  const { mean, covariance } = gaussian;
  const float64 = (data: Float64Array, shape: readonly number[]): SafeTensor => ({
    dtype: "F64",
    shape,
    data: data.slice(),
  });
  return new Map([
    ["features", { dtype: "F32", shape: features.shape, data: Float32Array.from(features.data) }],
    ["mean", float64(mean, [mean.length])],
    ["covariance", float64(covariance.data, [covariance.size, covariance.size])],
    ["spread", float64(Float64Array.of(spread.features, spread.pixels), [2])],
  ]);
}

/** @throws if there is no such file, or if it is not what {@link tensorsOf} wrote for this key */
async function readReference(
  path: string,
  key: string,
  dataset: ImageDataset,
  { network }: FeatureExtractor,
): Promise<Reference> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.key !== key) throw new Error(`${path}: of another dataset`);
  const size = network.featureCount;
  const values = (name: string, count: number): Float64Array | Float32Array => {
    const data = tensors.get(name)?.data;
    if ((data instanceof Float64Array || data instanceof Float32Array) && data.length === count) return data;
    throw new Error(`${path}: no ${name} of ${count} numbers`);
  };
  const features = Float32Array.from(values("features", dataset.length * size));
  const [featureSpread, pixelSpread] = values("spread", 2);
  return {
    dataset,
    features: ndarray(features, [dataset.length, size]),
    gaussian: {
      mean: Float64Array.from(values("mean", size)),
      covariance: { size, data: Float64Array.from(values("covariance", size * size)) },
    },
    spread: { features: featureSpread, pixels: pixelSpread },
  };
}
