import { byteImages } from "./byte-images.ts";
import type { Images } from "./byte-images.ts";
import type { FeatureExtractor } from "./features/feature-extractor.ts";
import { fitGaussian, frechetDistance } from "./metrics/frechet-distance.ts";
import { kernelDistance } from "./metrics/kernel-distance.ts";
import { medians, nearestImages } from "./metrics/memorisation.ts";
import type { InBothSpaces } from "./metrics/memorisation.ts";
import type { NearestNeighbours } from "./metrics/nearest-neighbours.ts";
import { distancesOn, randomVectors } from "./metrics/pairwise.ts";
import { precisionRecall } from "./metrics/precision-recall.ts";
import type { Reference } from "./reference.ts";

/** How samples compare with a dataset. Numbers of different sample counts or features do not compare with each other. */
export interface Evaluation {
  /** Samples. */
  readonly images: number;
  readonly referenceImages: number;
  /** Fréchet distance of the features; 0 is best. */
  readonly fid: number;
  /** Kernel distance of the features; about 0 is best. */
  readonly kid: number;
  /** Its standard deviation over subsets. */
  readonly kidStd: number;
  /** The share of samples that look like the dataset; 1 is best. */
  readonly precision: number;
  /** The share of the dataset that samples look like; 1 is best. */
  readonly recall: number;
  /**
   * How far a sample is from the nearest image of the dataset, relative to how far images of the dataset are from the
   * nearest other one, as medians. Much below 1 the model copies.
   */
  readonly novelty: InBothSpaces<number>;
  /** For each sample the nearest image of the dataset. */
  readonly nearest: InBothSpaces<NearestNeighbours>;
}

/**
 * Compares samples with a dataset.
 *
 * @example
 * const extractor = await FeatureExtractor.create(await fashionMnistClassifier());
 * const reference = await referenceOf(await fashionMnist(), extractor);
 * const { fid } = await evaluateSamples(await diffusion.sample(model, options), reference, extractor);
 */
export async function evaluateSamples(
  images: Images,
  reference: Reference,
  extractor: FeatureExtractor,
): Promise<Evaluation> {
  const bytes = byteImages(images);
  const features = await extractor.extract(bytes);
  const { distances, dispose } = distancesOn(extractor.backend);
  try {
    const { dataset, spread } = reference;
    const nearest = await nearestImages(distances, { images: bytes, features }, dataset, reference.features);
    const near = medians(nearest);
    const kid = await kernelDistance(extractor.backend, features, reference.features);
    return {
      images: features.shape[0],
      referenceImages: dataset.length,
      fid: frechetDistance(fitGaussian(features), reference.gaussian),
      kid: kid.mean,
      kidStd: kid.std,
      ...(await precisionRecall(distances, randomVectors(reference.features, features.shape[0], 0), features)),
      novelty: { features: near.features / spread.features, pixels: near.pixels / spread.pixels },
      nearest,
    };
  } finally {
    dispose();
  }
}
