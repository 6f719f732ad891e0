import type { Command } from "commander";

/** A command by name; `load` fetches its file only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: "train",
    summary: "train a model on images",
    load: async () => (await import("./train.ts")).trainCommand(),
  },
  {
    name: "sample",
    summary: "draw images with a trained model",
    load: async () => (await import("./sample.ts")).sampleCommand(),
  },
  {
    name: "interpolate",
    summary: "draw what lies between two images",
    load: async () => (await import("./interpolate.ts")).interpolateCommand(),
  },
  {
    name: "evaluate",
    summary: "measure how good samples are: FID, KID, precision, recall, copies",
    load: async () => (await import("./evaluate.ts")).evaluateCommand(),
  },
  {
    name: "noise",
    summary: "show an image at several timesteps of the forward process",
    load: async () => (await import("./noise.ts")).noiseCommand(),
  },
  {
    name: "info",
    summary: "describe a model: layers, parameters, operations, memory",
    load: async () => (await import("./info.ts")).infoCommand(),
  },
  {
    name: "train-classifier",
    summary: "train the classifier whose features evaluate compares",
    load: async () => (await import("./train-classifier.ts")).trainClassifierCommand(),
  },
  {
    name: "export",
    summary: "write a model's weights alone, small enough to hand on",
    load: async () => (await import("./export.ts")).exportCommand(),
  },
  {
    name: "bench",
    summary: "time training, prediction and sampling on this machine",
    load: async () => (await import("./bench.ts")).benchCommand(),
  },
  {
    name: "parity",
    summary: "compare with what PyTorch computed",
    load: async () => (await import("./parity.ts")).parityCommand(),
  },
];
