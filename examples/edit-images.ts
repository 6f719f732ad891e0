// Changes two images with a trained model: variations, a half painted anew, and what lies between them.
//   node_modules/.bin/node --conditions unnoise-source examples/edit-images.ts runs/fashion-mnist a.png b.png
import { diffusionFromCheckpoint, loadImage, modelFromCheckpoint, ndarray, openCheckpoint, saveGrid } from "unnoise";

const [runDirectory = "runs/fashion-mnist", ...paths] = process.argv.slice(2);
const { checkpoint } = await openCheckpoint(runDirectory);
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const { height, width, channels } = checkpoint.config.dataset;
const [a, b] = await Promise.all(paths.map((path) => loadImage(path, { height, width, channels })));

const variations = await diffusion.sample(model, { init: a, strength: 0.6, batchSize: 8, seed: 1 });
await saveGrid("variations.png", variations, { columns: 8 });

const leftHalf = Float32Array.from({ length: height * width }, (_, i) => (i % width < width / 2 ? 1 : 0));
const mask = ndarray(leftHalf, [1, height, width, 1]);
const painted = await diffusion.sample(model, { image: a, mask, resamples: 5, jumpLength: 5, batchSize: 8, seed: 1 });
await saveGrid("painted.png", painted, { columns: 8 });

const lam = Array.from({ length: 8 }, (_, i) => i / 7);
await saveGrid("between.png", await diffusion.interpolate(model, a, b, { lam }), { columns: 8 });
console.log("variations.png, painted.png, between.png");
