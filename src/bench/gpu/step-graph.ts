import type { Backend } from "../../backend/backend.ts";
import type { Precision } from "../../backend/common/precision.ts";
import { memoryDataset } from "../../data/dataset.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../diffusion/process/schedules.ts";
import type { Graph } from "../../tensor/graph.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { taskOf } from "../../training/tasks/tasks.ts";
import { settingsOf } from "../../training/trainer-options.ts";
import { TrainingProgram } from "../../training/step/training-program.ts";
import { sizes } from "../sizes.ts";
import type { SizeName } from "../sizes.ts";
import { networkOf } from "../workload.ts";

const TIMESTEPS = 300;

/** The graph of a training step: Algorithm 1 with Adam, as the trainer has it compiled. */
export async function trainingGraph(size: SizeName, batchSize: number, precision: Precision): Promise<Graph> {
  const backend = new GraphKeeper(precision);
  const model = networkOf(size);
  const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(TIMESTEPS), lossType: "huber" });
  const { imageSize } = sizes[size];
  const images = new Uint8Array(imageSize ** 2 * model.channels);
  const dataset = memoryDataset({ name: "black", images, shape: [1, imageSize, imageSize, model.channels] });
  const settings = settingsOf({ model, diffusion, dataset, batchSize, learningRate: 1e-3, emaDecay: 0 });
  const task = taskOf(model, diffusion, settings, {});
  const program = new TrainingProgram({ backend, task, parameters: model.parameters(), settings });
  await program.prepare([batchSize, imageSize, imageSize, model.channels]);
  return backend.graph();
}

/** The graph of a network's prediction. */
export function predictionGraph(size: SizeName, batchSize: number): Graph {
  const model = networkOf(size);
  const { imageSize } = sizes[size];
  const shape = [batchSize, imageSize, imageSize, model.channels];
  const x = new Tensor({ kind: "input", index: 0, shape, dtype: "f32" });
  const t = new Tensor({ kind: "input", index: 1, shape: [batchSize], dtype: "i32" });
  return { inputs: [x, t], outputs: [model.forward(x, t)], updates: [] };
}

/** Runs nothing, and keeps the last graph that it is given. */
class GraphKeeper implements Backend {
  readonly name = "webgpu";
  readonly description = "keeps graphs";
  readonly isClosed = false;
  readonly precision: Precision;
  #graph: Graph | undefined;

  constructor(precision: Precision) {
    this.precision = precision;
  }

  graph(): Graph {
    if (!this.#graph) throw new Error("internal: no graph was given");
    return this.#graph;
  }

  load(graph: Graph): ReturnType<Backend["load"]> {
    this.#graph = graph;
    const run = (): Promise<never> => Promise.reject(new Error("internal: a graph that is kept does not run"));
    return Promise.resolve({ workspaceBytes: 0, heldBytes: 0, run, dispose: () => undefined });
  }

  async exchange(): Promise<void> {}

  async close(): Promise<void> {}
}
