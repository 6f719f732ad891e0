import type { Backend } from "../../../backend/backend.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { Classifier } from "../../../evaluation/features/classifier.ts";
import { decodeClassifier, encodeClassifier } from "../../../evaluation/features/classifier-file.ts";
import { writeClassifier } from "../../../evaluation/features/classifier-file.node.ts";
import type { ImageClassifier } from "../../../evaluation/features/image-classifier.ts";
import { trainClassifier } from "../../../evaluation/features/train-classifier.ts";
import { Pace } from "../../../training/pace.ts";
import { isPublished, openData } from "../../flags/images/dataset.ts";
import type { SizedDataFlags } from "../../flags/images/data.ts";
import { describeDevice, withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { formatCount, formatDuration } from "../../output/format.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import { print } from "../../output/print.ts";
import { progressDisplay } from "../../output/progress.ts";
import { checkPlace } from "../../output/targets.ts";

export interface TrainClassifierFlags extends DeviceFlags, SizedDataFlags {
  readonly data: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
  readonly out: string;
}

/** @returns the exit code */
export async function trainClassifierRun(flags: TrainClassifierFlags): Promise<number> {
  await checkPlace(flags.out);
  const dataset = await openData(flags, print);
  const { name, length, width, height, channels, source } = dataset;
  const look = `${width} x ${height} ${channels === 1 ? "in gray" : "in colour"}`;
  print(`data    ${name}: ${formatCount(length)} images of ${look} from ${source}`);
  return withDevice(flags, async (backend) => {
    print(`device  ${describeDevice(backend)}`);
    const classifier = await train(flags, dataset, backend);
    if (classifier === undefined) return EXIT_INTERRUPTED;
    // As it is once its weights are rounded for the file.
    const rounded = await decodeClassifier(await encodeClassifier(classifier), flags.out);
    const heldOut = await heldOutOf(flags, dataset);
    const share = await new Classifier(rounded, backend).accuracy(heldOut);
    const { epochs, batchSize, lr: learningRate, seed } = flags;
    await writeClassifier(flags.out, rounded, {
      training: { epochs, batchSize, learningRate, seed },
      accuracy: { dataset: heldOut.name, share },
    });
    print(`names ${(100 * share).toFixed(2)} % of ${heldOut.name} correctly`);
    print(`wrote ${flags.out}`);
    return 0;
  });
}

/** Undefined if it was interrupted. */
async function train(
  flags: TrainClassifierFlags,
  dataset: ImageDataset,
  backend: Backend,
): Promise<ImageClassifier | undefined> {
  const { epochs, batchSize, lr: learningRate, seed } = flags;
  const totalSteps = epochs * Math.floor(dataset.length / batchSize);
  const display = await progressDisplay(totalSteps, 0);
  const interrupt = catchInterrupt(() => display.say("Stopping; nothing is written."));
  const start = performance.now();
  let last = start;
  const pace = new Pace();
  try {
    const classifier = await trainClassifier({
      dataset,
      epochs,
      batchSize,
      learningRate,
      seed,
      backend,
      signal: interrupt.signal,
      onStep: ({ step, loss }) => {
        const now = performance.now();
        const imagesPerSecond = pace.add(batchSize, (now - last) / 1000);
        last = now;
        const secondsLeft = ((totalSteps - step) * batchSize) / imagesPerSecond;
        display.show({ step, loss, imagesPerSecond, secondsLeft: step > 1 ? secondsLeft : undefined });
      },
    });
    display.say(`trained ${formatCount(totalSteps)} steps in ${formatDuration((performance.now() - start) / 1000)}`);
    return classifier;
  } catch (error) {
    if (interrupt.signal.aborted) return undefined;
    throw error;
  } finally {
    interrupt.release();
    display.stop();
  }
}

/** The test split where there is one; otherwise the training images, which flatter. */
async function heldOutOf(flags: TrainClassifierFlags, dataset: ImageDataset): Promise<ImageDataset> {
  return isPublished(flags.data) ? openData({ ...flags, split: "test" }, print) : dataset;
}
