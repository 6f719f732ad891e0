// The diffusion of Karras et al. (2022), which has noise levels in place of timesteps. Run it from this repository:
//   node_modules/.bin/node --conditions unnoise-source examples/train-elucidated.ts
import { ElucidatedDiffusion, Trainer, Unet, fashionMnist, saveGrid } from "unnoise";

const model = new Unet({ dim: 16, channels: 1, dimMults: [1, 2, 4], attentionHeads: 2 });
const diffusion = new ElucidatedDiffusion();
const trainer = new Trainer({ model, diffusion, dataset: await fashionMnist(), batchSize: 32, learningRate: 2e-3 });
for await (const { step, loss } of trainer.run({ steps: 1000 })) console.log(step, loss);
const images = await diffusion.sample(trainer.samplingModel, { batchSize: 16, imageSize: 28, sampler: "heun" });
await saveGrid("garments.png", images);
