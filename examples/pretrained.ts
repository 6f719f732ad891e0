// Draws with a model that others have trained, and stores it as diffusers does.
//
//   node examples/pretrained.ts google/ddpm-cifar10-32
//   node examples/pretrained.ts ./a-folder-of-diffusers
import { DiffusionPipeline, saveGrid } from "unnoise";

const pipeline = await DiffusionPipeline.fromPretrained(process.argv[2] ?? "google/ddpm-cifar10-32");
const images = await pipeline.sample({ batchSize: 16, steps: 20, sampler: "ddim", seed: 0 });
await saveGrid("images.png", images);
await pipeline.savePretrained("saved");
console.log(`${pipeline.className}: ${pipeline.model.parameterCount().toLocaleString("en")} parameters`);
