import { expect, test } from "vitest";
import { defaultBackend } from "../src/backend/default.ts";
import { SHIPPED_MODEL } from "../src/cli/runs/runs.ts";
import { Classifier } from "../src/evaluation/features/classifier.ts";
import { fashionMnistClassifier } from "../src/evaluation/features/classifier-file.node.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../src/checkpoint/from-checkpoint.ts";
import { readCheckpoint } from "../src/checkpoint/run-directory.node.ts";

const CLASSES = 10;
const PER_CLASS = 6;

test(
  "the model that comes with the package draws the garments that it is asked for",
  { timeout: 120_000 },
  async () => {
    const checkpoint = await readCheckpoint(SHIPPED_MODEL);
    const backend = await defaultBackend();
    const classes = Int32Array.from({ length: CLASSES * PER_CLASS }, (_, i) => i % CLASSES);
    const images = await diffusionFromCheckpoint(checkpoint).sample(await modelFromCheckpoint(checkpoint), {
      batchSize: classes.length,
      imageSize: 28,
      classes,
      condScale: 2,
      sampler: "dpmSolver++2M",
      steps: 10,
      seed: 0,
      backend,
    });
    const classifier = await Classifier.create(await fashionMnistClassifier(), backend);
    const { labels } = await classifier.classify(images);
    const right = labels.filter((label, i) => label === classes[i]).length;
    // The classifier itself names 91 % of real garments rightly.
    expect(right / classes.length).toBeGreaterThan(0.85);
  },
);
