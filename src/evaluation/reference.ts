import type { ImageDataset } from "../data/dataset.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { FeatureExtractor } from "./features/feature-extractor.ts";
import { fitGaussian } from "./metrics/frechet-distance.ts";
import type { Gaussian } from "./metrics/frechet-distance.ts";
import { medianSpread } from "./metrics/memorisation.ts";
import type { InBothSpaces } from "./metrics/memorisation.ts";
import { distancesOn } from "./metrics/pairwise.ts";

/** What samples are compared with. */
export interface Reference {
  readonly dataset: ImageDataset;
  /** f32 [dataset.length, featureCount] */
  readonly features: NdArray;
  readonly gaussian: Gaussian;
  /** The median distance of an image to its nearest other one. */
  readonly spread: InBothSpaces<number>;
}

/** @param onProgress is told how many images are done */
export async function referenceOf(
  dataset: ImageDataset,
  extractor: FeatureExtractor,
  onProgress?: (done: number) => void,
): Promise<Reference> {
  const features = await extractor.extractDataset(dataset, onProgress);
  const { distances, dispose } = distancesOn(extractor.backend);
  const spread = await medianSpread(distances, dataset, features);
  dispose();
  return { dataset, features, gaussian: fitGaussian(features), spread };
}
