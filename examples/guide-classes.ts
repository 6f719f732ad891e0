// Draws each class of a model that `unnoise train --preset fashion-mnist-classes` left behind, without and with guidance:
//   node_modules/.bin/node --conditions unnoise-source examples/guide-classes.ts runs/fashion-mnist-classes
import { diffusionFromCheckpoint, modelFromCheckpoint, openCheckpoint, saveGrid } from "unnoise";

const [runDirectory = "runs/fashion-mnist-classes"] = process.argv.slice(2);
const { checkpoint } = await openCheckpoint(runDirectory);
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const { height, width, classNames = [] } = checkpoint.config.dataset;
const classes = classNames.map((_, label) => label);
for (const condScale of [1, 3]) {
  const images = await diffusion.sample(model, { classes, condScale, imageSize: [height, width], seed: 1 });
  await saveGrid(`guidance-${condScale}.png`, images, { columns: classes.length, scale: 2 });
}
console.log(`guidance-1.png, guidance-3.png: ${classNames.join(", ")}`);
