import type { Precision } from "../../backend/common/precision.ts";
import type { Graph } from "../../tensor/graph.ts";
import { stableDiffusionGraph } from "./stable-diffusion.ts";
import { predictionGraph, trainingGraph } from "./step-graph.ts";

/** A program that is counted. */
export interface CountedProgram {
  readonly title: string;
  readonly precision: Precision;
  readonly graph: () => Graph | Promise<Graph>;
}

const training = (
  title: string,
  size: "dim28" | "dim128",
  batchSize: number,
  precision: Precision,
): CountedProgram => ({
  title: `${title}, batch ${batchSize}, ${precision}`,
  precision,
  graph: () => trainingGraph(size, batchSize, precision),
});

const stableDiffusion = (precision: Precision): CountedProgram => ({
  title: `prediction of Stable Diffusion 1.5's size, batch 2, ${precision}`,
  precision,
  graph: () => stableDiffusionGraph({ batchSize: 2, latent: 64 }),
});

/** What people run: the article's step, wider ones, single images, and a large published network. */
export const countedPrograms: readonly CountedProgram[] = [
  training("training step, 28 channels, 28x28x1", "dim28", 128, "f32"),
  training("training step, 28 channels, 28x28x1", "dim28", 128, "f16"),
  training("training step, 128 channels, 32x32x3", "dim128", 16, "f32"),
  training("training step, 128 channels, 32x32x3", "dim128", 128, "f32"),
  training("training step, 128 channels, 32x32x3", "dim128", 128, "f16"),
  {
    title: "prediction, 28 channels, 28x28x1, batch 1, f32",
    precision: "f32",
    graph: () => predictionGraph("dim28-single", 1),
  },
  stableDiffusion("f32"),
  stableDiffusion("f16"),
];
