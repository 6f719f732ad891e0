import type { Backend } from "../../../backend/backend.ts";
import { Classifier } from "../../../evaluation/features/classifier.ts";
import type { FeatureNetwork } from "../../../evaluation/features/feature-network.ts";
import { ImageClassifier } from "../../../evaluation/features/image-classifier.ts";
import type { Images } from "../../../evaluation/byte-images.ts";

/**
 * For each class by name, the share of the samples asked for of it that a classifier calls so. Undefined without a
 * classifier of these very classes.
 *
 * @param classes of each sample
 */
export async function classShares(
  network: FeatureNetwork,
  backend: Backend,
  images: Images,
  classes: readonly number[] | undefined,
  classNames: readonly string[] | undefined,
): Promise<Record<string, number> | undefined> {
  if (!(network instanceof ImageClassifier) || classes === undefined || classNames === undefined) return undefined;
  const known = network.options.classNames;
  if (known.length !== classNames.length || known.some((name, label) => name !== classNames[label])) return undefined;
  const classifier = new Classifier(network, backend);
  const { labels } = await classifier.classify(images);
  classifier.dispose();
  const shares = classNames.map((name, label): [string, number] => {
    const asked = classes.flatMap((wanted, i) => (wanted === label ? [labels[i] === label] : []));
    return [name, asked.filter(Boolean).length / asked.length];
  });
  // None was asked for of a class that is left out.
  return Object.fromEntries(shares.filter(([, share]) => !Number.isNaN(share)));
}
