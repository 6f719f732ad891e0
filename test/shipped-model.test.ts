import { expect, test } from "vitest";
import { defaultBackend } from "../src/backend/default.ts";
import { compile } from "../src/backend/compile.ts";
import { SHIPPED_MODEL } from "../src/cli/runs.ts";
import { fashionMnistClassifier } from "../src/evaluation/classifier-file.node.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../src/training/from-checkpoint.ts";
import { readCheckpoint } from "../src/training/run-directory.node.ts";

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
    const classifier = await fashionMnistClassifier();
    const classify = compile(backend, (x) => ({ outputs: { logits: classifier.forward(x.add(1).multiply(127.5)) } }));
    const { logits } = await classify(images);
    const found = Array.from(classes, (_, i) => {
      const row = [...logits.data.subarray(i * CLASSES, (i + 1) * CLASSES)].map(Number);
      return row.indexOf(Math.max(...row));
    });
    const right = found.filter((name, i) => name === classes[i]).length;
    // The classifier itself names 91 % of real garments rightly.
    expect(right / classes.length).toBeGreaterThan(0.85);
  },
);
