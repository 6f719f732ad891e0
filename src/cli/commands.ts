import type { Command } from "commander";

/** A command by name; `load` fetches its file only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
  /** Whether several processes that mpirun or srun has started share its work. */
  readonly isShared?: boolean;
}

export const commands: readonly CommandEntry[] = [
  {
    name: "train",
    summary: "train a model on images",
    isShared: true,
    load: async () => (await import("./commands/train/command.ts")).trainCommand(),
  },
  {
    name: "sample",
    summary: "draw images with a trained model",
    isShared: true,
    load: async () => (await import("./commands/sample/command.ts")).sampleCommand(),
  },
  {
    name: "interpolate",
    summary: "draw what lies between two images",
    load: async () => (await import("./commands/interpolate/command.ts")).interpolateCommand(),
  },
  {
    name: "evaluate",
    summary: "measure how good samples are: FID, KID, precision, recall, copies",
    isShared: true,
    load: async () => (await import("./commands/evaluate/command.ts")).evaluateCommand(),
  },
  {
    name: "noise",
    summary: "show an image at several timesteps of the forward process",
    load: async () => (await import("./commands/noise/command.ts")).noiseCommand(),
  },
  {
    name: "info",
    summary: "describe a model: layers, parameters, operations, memory",
    load: async () => (await import("./commands/info/command.ts")).infoCommand(),
  },
  {
    name: "train-classifier",
    summary: "train the classifier whose features evaluate compares",
    load: async () => (await import("./commands/train-classifier/command.ts")).trainClassifierCommand(),
  },
  {
    name: "import",
    summary: "make a checkpoint of weights that PyTorch code has trained",
    load: async () => (await import("./commands/import/command.ts")).importCommand(),
  },
  {
    name: "export",
    summary: "write a model's weights alone, small enough to hand on",
    load: async () => (await import("./commands/export/command.ts")).exportCommand(),
  },
  {
    name: "bench",
    summary: "time training, prediction and sampling on this machine",
    load: async () => (await import("./commands/bench/command.ts")).benchCommand(),
  },
  {
    name: "parity",
    summary: "compare with what PyTorch computed",
    load: async () => (await import("./commands/parity/command.ts")).parityCommand(),
  },
];
