// Trains one model in several processes, each of which takes its share of every batch. Run it from this repository:
//   mpirun -n 2 --bind-to none node_modules/.bin/node --conditions unnoise-source examples/train-together.ts
import {
  GaussianDiffusion,
  MpiCollective,
  RunDirectory,
  Trainer,
  Unet,
  fashionMnist,
  linearBetaSchedule,
} from "unnoise";

const mpi = await MpiCollective.open();
const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(300), lossType: "huber" });
const dataset = await fashionMnist();
const runDirectory = new RunDirectory("runs/together");
const trainer = new Trainer({
  model,
  diffusion,
  dataset,
  runDirectory,
  batchSize: 512,
  learningRate: 1e-3,
  collective: mpi,
});
for await (const { step, loss } of trainer.run({ epochs: 6 })) if (mpi.rank === 0) console.log(step, loss);
await mpi.close();
