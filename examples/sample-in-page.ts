// Draws in a page, with a checkpoint that is served beside it. examples/browser/ is a whole page.
import { decodeCheckpoint, diffusionFromCheckpoint, modelFromCheckpoint, parseSafetensors } from "unnoise";

const file = new Uint8Array(await (await fetch("model.safetensors")).arrayBuffer());
const checkpoint = await decodeCheckpoint(parseSafetensors(file), "model.safetensors");
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const images = await diffusion.sample(model, {
  batchSize: 16,
  imageSize: 28,
  steps: 25,
  seed: 1,
  onStep: ({ step, steps, images }) => console.log(step, steps, images.shape),
});
console.log(images.data);
