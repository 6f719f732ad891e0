// Makes a checkpoint of the weights that the article's PyTorch code has saved:
//   node_modules/.bin/node --conditions unnoise-source examples/import-weights.ts unet.pt
import { encodeCheckpoint, importCheckpoint, readPytorch, writeSafetensors } from "unnoise";

const [path = "unet.pt"] = process.argv.slice(2);
const file = await readPytorch(path); // in a page: parsePytorch(bytes)
const { checkpoint } = await importCheckpoint(file, { from: "article", imageSize: 28 });
const { tensors, metadata } = await encodeCheckpoint(checkpoint);
await writeSafetensors("unet.safetensors", tensors, metadata);
console.log(`unet.safetensors: ${checkpoint.model.size} tensors`);
