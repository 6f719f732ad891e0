// Trains on a directory of photos and goes on from its last checkpoint when it is started again:
//   node_modules/.bin/node --conditions unnoise-source examples/train-on-photos.ts photos/
import { GaussianDiffusion, RunDirectory, Trainer, Unet, imageFolder, saveGrid } from "unnoise";

const [directory = "photos"] = process.argv.slice(2);
const dataset = await imageFolder({ directory, width: 48, height: 32 });
const model = new Unet({ dim: 32, dimMults: [1, 2, 4], selfCondition: true });
const diffusion = new GaussianDiffusion({ timesteps: 1000, betaSchedule: "cosine", samplingTimesteps: 50 });
const trainer = new Trainer({
  model,
  diffusion,
  dataset,
  batchSize: 16,
  gradientAccumulateEvery: 2,
  learningRate: 2e-4,
  learningRateSchedule: "cosine",
  warmupSteps: 500,
  maxGradNorm: 1,
  randomHorizontalFlip: true,
  runDirectory: new RunDirectory("runs/photos"),
  saveEvery: 200,
});
for await (const { step, totalSteps, loss, imagesPerSecond } of trainer.run({ steps: 20_000 })) {
  if (step % 50 === 0) console.log(`${step}/${totalSteps}`, loss.toFixed(4), `${imagesPerSecond.toFixed(1)} images/s`);
  if (step % 1000 === 0) {
    const images = await diffusion.sample(trainer.samplingModel, { batchSize: 16, imageSize: [32, 48], seed: 1 });
    await saveGrid(`runs/photos/samples/step-${step}.png`, images);
  }
}
