// Trains a model that is told in letters what to draw, on Fashion-MNIST, and draws what it is asked for in words:
//   node_modules/.bin/node --conditions unnoise-source examples/train-on-texts.ts "ankle boot" shirt t-shirt/top
import {
  GaussianDiffusion,
  RunDirectory,
  Trainer,
  Unet,
  contextBatch,
  fashionMnist,
  imageContexts,
  saveGrid,
} from "unnoise";

const letters = "abcdefghijklmnopqrstuvwxyz-/ ";
const length = "t-shirt/top".length;
/** A token says which letter it is and where it stands: cross-attention itself knows no order. */
const tokensOf = (text: string) =>
  Array.from(text.toLowerCase(), (letter, place) => {
    const token = new Float32Array(letters.length + length);
    token[letters.indexOf(letter)] = 1;
    token[letters.length + place] = 1;
    return token;
  });

const images = await fashionMnist();
const { labels = [], classNames = [] } = images;
const contexts = { dim: letters.length + length, length, of: (index: number) => tokensOf(classNames[labels[index]]) };
const model = new Unet({ dim: 16, channels: 1, dimMults: [1, 2, 4], attentionHeads: 2, contextDim: contexts.dim });
const diffusion = new GaussianDiffusion({ betaSchedule: "cosine", timesteps: 1000, samplingTimesteps: 40 });
const trainer = new Trainer({
  model,
  diffusion,
  dataset: { ...images, conditions: [imageContexts(contexts)] },
  batchSize: 32,
  learningRate: 2e-3,
  learningRateSchedule: "cosine",
  warmupSteps: 200,
  emaDecay: 0.999,
  emaUpdateEvery: 1,
  runDirectory: new RunDirectory("runs/texts"),
});
for await (const { step, loss } of trainer.run({ steps: 8000 })) if (step % 100 === 0) console.log(step, loss);

const texts = process.argv.length > 2 ? process.argv.slice(2) : classNames;
const told = contextBatch(texts.map(tokensOf), contexts);
const drawn = await diffusion.sample(trainer.samplingModel, { ...told, condScale: 3, imageSize: 28, seed: 1 });
await saveGrid("texts.png", drawn, { columns: texts.length });
console.log(`texts.png: ${texts.join(", ")}`);
