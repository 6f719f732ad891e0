// Draws with a checkpoint of guided-diffusion, here that of ImageNet at 64 x 64 (296 million parameters):
//   node_modules/.bin/node --conditions unnoise-source examples/load-adm.ts 64x64_diffusion.pt
import { AdmUnet, GaussianDiffusion, ndarray, readPytorch, saveGrid, toFloat32 } from "unnoise";

const [path = "64x64_diffusion.pt"] = process.argv.slice(2);
const model = new AdmUnet({
  numChannels: 192,
  numResBlocks: 3,
  useNewAttentionOrder: true,
  numClasses: 1000,
  nullClass: false,
  outDim: 6,
});
const { tensors } = await readPytorch(path);
const state = [...tensors].map(([name, tensor]) => [name, ndarray(toFloat32(tensor), tensor.shape)] as const);
await model.loadStateDict(new Map(state), path);

const diffusion = new GaussianDiffusion({
  timesteps: 1000,
  betaSchedule: "squaredcosCapV2",
  varianceType: "learnedRange",
});
const classes = [1, 88, 130, 207, 281, 323, 387, 979]; // goldfish, macaw, flamingo, retriever, cat, monarch, panda, valley
const images = await diffusion.sample(model, { classes, imageSize: 64, steps: 250 });
await saveGrid("adm.png", images);
console.log("adm.png");
