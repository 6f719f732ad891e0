import * as z from "zod/mini";
import { encodeFloat16 } from "../../tensor/float16.ts";
import type { SafeTensor, Safetensors } from "../../io/safetensors/safetensors.ts";
import { check, numberWithin, positiveNumber, wholeNumber } from "../../config/rules.ts";
import { ImageClassifier } from "./image-classifier.ts";
import { stateFromFile } from "./weights.ts";

/** The key of a file's metadata that says what it is, as JSON. */
const HEADER_KEY = "unnoise";

const header = z.strictObject({
  kind: z.literal("classifier"),
  format: z.literal(1),
  /** What it was trained on. */
  name: z.string(),
  height: wholeNumber(1),
  width: wholeNumber(1),
  channels: wholeNumber(1),
  classNames: z.array(z.string()).check(z.minLength(1)),
  training: z.optional(
    z.strictObject({
      epochs: wholeNumber(1),
      batchSize: wholeNumber(1),
      learningRate: positiveNumber(),
      seed: wholeNumber(0),
    }),
  ),
  accuracy: z.optional(z.strictObject({ dataset: z.string(), share: numberWithin(0, 1) })),
});

/** How a classifier was made and what it reached. */
export type ClassifierNotes = Pick<z.infer<typeof header>, "training" | "accuracy">;

/** A classifier as the content of a safetensors file, with weights in float16. */
export async function encodeClassifier(classifier: ImageClassifier, notes: ClassifierNotes = {}): Promise<Safetensors> {
  const { classNames, ...options } = classifier.options;
  const content: z.infer<typeof header> = {
    kind: "classifier",
    format: 1,
    ...options,
    classNames: [...classNames],
    ...notes,
  };
  const tensors = new Map<string, SafeTensor>();
  for (const [name, { shape, data }] of await classifier.stateDict()) {
    tensors.set(name, { dtype: "F16", shape, data: encodeFloat16(data as Float32Array) });
  }
  return { tensors, metadata: { [HEADER_KEY]: JSON.stringify(content) } };
}

/**
 * Reads what {@link encodeClassifier} wrote.
 *
 * @param source name of the file for messages
 * @throws Error of one line if the file is something else
 */
export async function decodeClassifier(file: Safetensors, source: string): Promise<ImageClassifier> {
  const { name, height, width, channels, classNames } = readHeader(file, source);
  const classifier = new ImageClassifier({ name, height, width, channels, classNames });
  await classifier.loadStateDict(stateFromFile(file, source), source);
  return classifier;
}

/** Whether a file says that it is a classifier. */
export function isClassifierFile({ metadata }: Pick<Safetensors, "metadata">): boolean {
  return metadata[HEADER_KEY]?.includes('"kind":"classifier"') ?? false;
}

function readHeader({ metadata }: Safetensors, source: string): z.infer<typeof header> {
  const text = metadata[HEADER_KEY];
  if (text === undefined) throw new Error(`${source}: no classifier of unnoise, but another safetensors file`);
  if (!isClassifierFile({ metadata })) {
    throw new Error(`${source}: a checkpoint of a model, not a classifier whose features evaluate compares`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${source}: damaged classifier: its metadata is no JSON`, { cause: error });
  }
  return check(header, content, `${source}: not a classifier that this version reads`);
}
