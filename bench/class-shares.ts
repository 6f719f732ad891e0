// How often samples of the model that comes with the package are of the class that was asked for, as its classifier sees
// them, by the scale of classifier-free guidance:
//   node_modules/.bin/node bench/class-shares.ts
import { defaultBackend } from "../src/backend/default.ts";
import { SHIPPED_MODEL } from "../src/cli/runs.ts";
import { Classifier } from "../src/evaluation/classifier.ts";
import { fashionMnistClassifier } from "../src/evaluation/classifier-file.node.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../src/training/from-checkpoint.ts";
import { readCheckpoint } from "../src/training/run-directory.node.ts";

const SCALES = [1, 2, 3];
const PER_CLASS = 100;
const WAY = { sampler: "dpmSolver++2M", steps: 20 } as const;

const backend = await defaultBackend();
const checkpoint = await readCheckpoint(SHIPPED_MODEL);
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const classifier = await Classifier.create(await fashionMnistClassifier(), backend);

async function shareOf(label: number, condScale: number): Promise<number> {
  const classes = new Int32Array(PER_CLASS).fill(label);
  const options = { batchSize: PER_CLASS, imageSize: 28, classes, condScale, seed: label, backend, ...WAY };
  const { labels } = await classifier.classify(await diffusion.sample(model, options));
  return labels.filter((found) => found === label).length / PER_CLASS;
}

console.log(`| class | ${SCALES.map((scale) => `scale ${scale}`).join(" | ")} |`);
console.log(`| --- | ${SCALES.map(() => "---").join(" | ")} |`);
const { classNames } = classifier.network.options;
const totals = SCALES.map(() => 0);
for (const [label, name] of classNames.entries()) {
  const shares: number[] = [];
  for (const scale of SCALES) shares.push(await shareOf(label, scale));
  shares.forEach((share, i) => (totals[i] += share));
  console.log(`| ${name} | ${shares.map((share) => share.toFixed(2)).join(" | ")} |`);
}
console.log(`| all | ${totals.map((total) => (total / classNames.length).toFixed(2)).join(" | ")} |`);
