// Draws images from what `unnoise train` left behind:
//   node_modules/.bin/node --conditions unnoise-source examples/sample-from-checkpoint.ts runs/fashion-mnist
import { diffusionFromCheckpoint, modelFromCheckpoint, openCheckpoint, saveGrid } from "unnoise";

const [runDirectory = "runs/fashion-mnist"] = process.argv.slice(2);
const { checkpoint, path } = await openCheckpoint(runDirectory);
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const { height, width } = checkpoint.config.dataset;
const images = await diffusion.sample(model, { batchSize: 16, imageSize: [height, width], seed: 1 });
await saveGrid("samples.png", images, { columns: 4, scale: 2 });
console.log(`samples.png: 16 images from ${path}`);
