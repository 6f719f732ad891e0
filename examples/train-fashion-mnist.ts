// The Annotated Diffusion Model in ten lines. Run it from this repository:
//   node_modules/.bin/node --conditions unnoise-source examples/train-fashion-mnist.ts
import { GaussianDiffusion, Trainer, Unet, fashionMnist, linearBetaSchedule, saveGrid } from "unnoise";

const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(300), lossType: "huber" });
const dataset = await fashionMnist();
const trainer = new Trainer({ model, diffusion, dataset, batchSize: 128, learningRate: 1e-3 });
for await (const { step, loss } of trainer.run({ epochs: 6 })) console.log(step, loss);
const images = await diffusion.sample(trainer.samplingModel, { batchSize: 64, imageSize: 28 });
await saveGrid("garments.png", images);
