// Draws with a model that others have trained, and stores it as diffusers does.
//
//   node examples/pretrained.ts google/ddpm-cifar10-32
//   node examples/pretrained.ts ./a-folder-of-diffusers
import { DiffusionPipeline, saveGrid } from "unnoise";

const pipeline = await DiffusionPipeline.fromPretrained(process.argv[2] ?? "google/ddpm-cifar10-32");
console.log(`${pipeline.className}: ${pipeline.model.parameterCount().toLocaleString("en")} parameters`);
const images = await pipeline.sample({
  batchSize: 4,
  steps: 20,
  sampler: "dpmSolver++2M",
  seed: 0,
  onStep: ({ step, steps }) => console.log(`step ${step}/${steps}`),
});
await saveGrid("pretrained.png", images);
await pipeline.savePretrained("pretrained");
