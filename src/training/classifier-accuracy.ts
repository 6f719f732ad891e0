import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import type { ImageDataset } from "../data/dataset.ts";
import type { NoisyClassifier } from "../diffusion/sampling/classifier.ts";
import type { NoiseLevel } from "../diffusion/process/noise-level.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { iota, scalar } from "../tensor/tensor.ts";
import { checkOptions } from "../config/rules.ts";

export interface ClassifierAccuracyOptions {
  /** At which noise to look; `plan` of a diffusion gives those that its samplers visit. */
  readonly levels: readonly NoiseLevel[];
  /** Images to look at, spread evenly over the dataset; default 500, or all if there are fewer. */
  readonly images?: number;
  readonly backend: Backend;
}

/** Images that are looked at together. */
const BATCH = 100;

/**
 * The share of a dataset's images whose class a classifier finds likeliest, from 0 to 1, at each of some
 * levels of noise.
 *
 * @throws Error of one line if the images have no classes
 */
export async function classifierAccuracy(
  classifier: NoisyClassifier,
  dataset: ImageDataset,
  options: ClassifierAccuracyOptions,
): Promise<number[]> {
  checkOptions("classifierAccuracy", options, { levels: "list", images: "number", backend: "object" });
  const { levels, images = 500, backend } = options;
  const { length, labels } = dataset;
  if (!labels) throw new Error(`classifierAccuracy: the images of ${dataset.name} have no classes`);
  const program = compile(backend, ({ bytes, classes, level }) => {
    const [t, alpha, sigma] = level.chunk(3).map((number) => number.reshape([]));
    const xStart = bytes.divide(127.5).subtract(1);
    const noise = new RandomStream([scalar(0, "u32"), scalar(0, "u32")]).normal(xStart.shape);
    const x = xStart.multiply(alpha).add(noise.multiply(sigma));
    const logits = classifier.forward(x, t.broadcastTo(classes.shape));
    const ofClass = iota(logits.shape, 1)
      .compare("eq", classes.reshape([classes.size, 1]))
      .select(logits, 0)
      .sum(1);
    return { outputs: { right: ofClass.compare("ge", logits.max(1)).convert("f32").sum() } };
  });
  const count = Math.min(images, length);
  const right = levels.map(() => 0);
  try {
    for (let first = 0; first < count; first += BATCH) {
      const indices = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) =>
        Math.floor(((first + i) * length) / count),
      );
      const bytes = await imagesOf(dataset, indices);
      const classes = ndarray(
        Int32Array.from(indices, (index) => labels[index]),
        [indices.length],
      );
      for (const [place, { timestep, alpha, sigma }] of levels.entries()) {
        const level = ndarray([timestep, alpha, sigma], [3]);
        right[place] += (await program({ bytes, classes, level })).right.data[0];
      }
    }
  } finally {
    program.dispose();
  }
  return right.map((found) => found / count);
}

async function imagesOf(dataset: ImageDataset, indices: readonly number[]) {
  const { height, width, channels } = dataset;
  const bytes = new Uint8Array(indices.length * height * width * channels);
  await dataset.read(indices, bytes);
  return ndarray(Float32Array.from(bytes), [indices.length, height, width, channels]);
}
