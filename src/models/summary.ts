import { topologicalOrder } from "../tensor/graph.ts";
import { formatShape, sizeOf } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import { Tensor, full } from "../tensor/tensor.ts";
import type { Module } from "../nn/module/module.ts";
import type { Conditions } from "./conditions/declaration.ts";
import type { DiffusionModel } from "./model.ts";

export interface LayerSummary {
  /** Place in the model, as in the names of its parameters. */
  readonly name: string;
  /** Class of the layer. */
  readonly layer: string;
  readonly outputShape: Shape;
  /** Number of its own parameters, and of those of layers inside it whose work it does itself. */
  readonly parameters: number;
  /** Floating-point operations of one forward pass: two per multiply-add of convolutions and matrix products. */
  readonly flops: number;
  /** Size of the layer's output, which training keeps; 0 where it is the output of a layer inside this one. */
  readonly activationBytes: number;
}

export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  readonly parameters: number;
  readonly flops: number;
  readonly activationBytes: number;
}

/** One call of a module's forward: the tensors with ids in [from, to) are its own or those of modules inside. */
interface Call {
  readonly name: string;
  readonly module: Module;
  readonly from: number;
  to: number;
  output: Tensor;
}

/**
 * What each layer of a model gives, holds and costs for a batch of images. Nothing is computed: the model is traced.
 *
 * @param imageSize one side of square images, or [height, width]
 */
export function summary(model: DiffusionModel, imageSize: number | readonly [number, number], batch = 1): ModelSummary {
  const [height, width] = typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
  const x = new Tensor({ kind: "input", index: 0, shape: [batch, height, width, model.channels], dtype: "f32" });
  const time = new Tensor({ kind: "input", index: 1, shape: [batch], dtype: "i32" });
  const { calls, output } = traceCalls(model, () => model.forward(x, time, neededConditions(model, batch)));
  const flops = flopsByCall(calls, output);
  const sizes = parametersByCall(calls, model);
  const layers = calls
    .map((call, i): LayerSummary => {
      const isOwnOutput = !calls.slice(i + 1).some(isOutputOf(call));
      return {
        name: call.name,
        layer: call.module.constructor.name,
        outputShape: call.output.shape,
        parameters: sizes.get(call) ?? 0,
        flops: flops.get(call) ?? 0,
        activationBytes: isOwnOutput ? 4 * call.output.size : 0,
      };
    })
    .filter(({ parameters, flops }) => parameters > 0 || flops > 0);
  const total = (of: (layer: LayerSummary) => number): number => layers.reduce((sum, layer) => sum + of(layer), 0);
  return {
    layers,
    parameters: model.parameterCount(),
    flops: total((layer) => layer.flops),
    activationBytes: total((layer) => layer.activationBytes),
  };
}

/** What a network must be told of each image. */
function neededConditions({ conditions }: DiffusionModel, batch: number): Conditions {
  const needed = Object.entries(conditions).flatMap(([name, { shape, dtype, nullable, source }]) => {
    if (nullable || source !== "dataset" || shape === "image" || dtype === "time") return [];
    return [[name, full([batch, ...shape.map((size) => size ?? 1)], 0, dtype)] as const];
  });
  return Object.fromEntries(needed);
}

/** A summary as lines of a table for people. */
export function formatSummary({ layers, parameters, flops, activationBytes }: ModelSummary): string {
  const count = (n: number): string => n.toLocaleString("en-US");
  const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  const megaflops = (n: number): string => `${(n / 1e6).toFixed(2)} M`;
  const rows = [
    ["layer", "kind", "output", "parameters", "FLOPs", "activations"],
    ...layers.map((row) => [
      row.name,
      row.layer,
      formatShape(row.outputShape),
      count(row.parameters),
      megaflops(row.flops),
      megabytes(row.activationBytes),
    ]),
    ["total", "", "", count(parameters), megaflops(flops), megabytes(activationBytes)],
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** Runs `trace` while every module of the model notes its calls, innermost calls after those around them. */
function traceCalls(model: Module, trace: () => Tensor): { readonly calls: Call[]; readonly output: Tensor } {
  const calls: Call[] = [];
  const modules = model.namedModules();
  for (const [name, module] of modules) {
    const forward = module.forward.bind(module);
    const noted = (...inputs: never[]): Tensor => {
      const call = { name, module, from: nextId(), to: 0 } as Call;
      calls.push(call);
      call.output = forward(...inputs);
      call.to = nextId();
      return call.output;
    };
    Object.defineProperty(module, "forward", { value: noted, configurable: true });
  }
  try {
    return { output: trace(), calls };
  } finally {
    // The class's own method shows again.
    for (const module of modules.values()) Reflect.deleteProperty(module, "forward");
  }
}

/** Ids are given in the order of creation. */
function nextId(): number {
  return new Tensor({ kind: "constant", value: 0, dtype: "f32" }).id;
}

function flopsByCall(calls: readonly Call[], output: Tensor): Map<Call, number> {
  const flops = new Map<Call, number>();
  for (const tensor of topologicalOrder([output])) {
    const cost = flopsOf(tensor);
    const innermost = calls.findLast(({ from, to }) => from <= tensor.id && tensor.id < to);
    if (cost > 0 && innermost) flops.set(innermost, (flops.get(innermost) ?? 0) + cost);
  }
  return flops;
}

/** Each parameter counts for the innermost call around it. */
function parametersByCall(calls: readonly Call[], model: Module): Map<Call, number> {
  const sizes = new Map<Call, number>();
  for (const [name, variable] of model.parameters()) {
    const around = calls.filter((call) => call.name === "" || name.startsWith(`${call.name}.`));
    const innermost = around.toSorted((a, b) => b.name.length - a.name.length).at(0);
    if (innermost) sizes.set(innermost, (sizes.get(innermost) ?? 0) + variable.size);
  }
  return sizes;
}

function flopsOf({ op, inputs, shape }: Tensor): number {
  switch (op.kind) {
    case "convolution": {
      const [height, width, channels] = inputs[1].shape;
      return 2 * sizeOf(shape) * height * width * channels;
    }
    case "dot_general":
      return 2 * sizeOf(shape) * op.lhsContract.reduce((n, axis) => n * inputs[0].shape[axis], 1);
    case "attention": {
      // Of each query with every key, and of the weights with the values.
      const [q, k, v] = inputs.map((operand) => operand.shape);
      return 2 * sizeOf(q.slice(0, 3)) * k[1] * (q[3] + v[3]);
    }
    default:
      return 0;
  }
}

function isOutputOf({ output }: Call): (inner: Call) => boolean {
  return (inner) => inner.output === output;
}
