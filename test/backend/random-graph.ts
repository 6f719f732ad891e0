import { interpret, planOf } from "../../src/backend/reference/interpreter.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { range, sameShape } from "../../src/tensor/shape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { Random } from "../support/random.ts";
import { inputLeaves } from "./context.ts";
import { drawStep } from "./random-step.ts";
import type { Step } from "./random-step.ts";
import type { Scenario } from "./scenario.ts";

/** What the generator knows of a tensor that it has made. */
export interface Entry {
  readonly value: NdArray;
  /** Made without rounding, so that floors and comparisons of it are the same on every device. */
  readonly exact: boolean;
}

/** Beyond this a value is scaled down, so that sums of products stay meaningful. */
const LARGEST = 8;
const MAX_SIZE = 4096;

/** A program of 5 to 40 random ops on random shapes, with some variables, some gradients and some reused outputs. */
export function drawScenario(seed: number): Scenario {
  const random = new Random(seed);
  const lengths = range(4).map(() => random.pick([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 28]));
  const drawShape = (): Shape => range(random.pick([1, 2, 2, 3, 3, 4])).map(() => random.pick(lengths));
  const fitting = (): Shape => {
    for (;;) {
      const shape = drawShape();
      if (shape.reduce((a, b) => a * b, 1) <= MAX_SIZE / 4) return shape;
    }
  };
  const inputs = range(random.integer(1, 4)).map((i) => {
    const dtype = i > 0 && random.chance(0.2) ? random.pick(["i32", "u32", "bool"] as const) : "f32";
    return random.array(fitting(), dtype);
  });
  const initial = range(random.pick([0, 0, 1, 2])).map(() => random.array(fitting()));

  const entries: Entry[] = [...inputs, ...initial].map((value) => ({ value, exact: true }));
  // A variable changes between runs, perhaps by rounded values.
  for (let i = inputs.length; i < entries.length; i++) entries[i] = { ...entries[i], exact: false };
  const steps: Step[] = [];
  const wanted = random.integer(5, 40);
  for (let attempts = 0; steps.length < wanted && attempts < 400; attempts++) {
    const step = drawStep(random, entries);
    const entry = step && tryStep(step, entries);
    if (!entry) continue;
    steps.push(entry.step);
    entries.push(entry);
  }
  return assemble(random, inputs, initial, steps, entries);
}

/** What a step computes here, scaled to a tame size; undefined where it is too large or not finite. */
function tryStep(step: Step, entries: readonly Entry[]): (Entry & { readonly step: Step }) | undefined {
  const operands = step.operands.map((i) => entries[i].value);
  const value = compute(operands, step.apply);
  if (!value || value.data.length > MAX_SIZE) return undefined;
  const exact = step.exact && step.operands.every((i) => entries[i].exact);
  if (value.dtype !== "f32") return { value, exact, step };
  let largest = 0;
  for (const x of value.data) largest = Math.max(largest, Math.abs(x));
  if (!Number.isFinite(largest)) return undefined;
  if (largest <= LARGEST) return { value, exact, step };
  const apply = (tensors: readonly Tensor[]): Tensor => step.apply(tensors).multiply(3 / largest);
  const scaled = compute(operands, apply);
  return scaled && { value: scaled, exact: false, step: { ...step, apply } };
}

function compute(operands: readonly NdArray[], apply: Step["apply"]): NdArray | undefined {
  const leaves = inputLeaves(operands);
  const result = apply(leaves);
  if (result.size > MAX_SIZE) return undefined;
  const graph = { inputs: leaves, outputs: [result], updates: [] };
  const bindings = { inputs: operands, valueOf: () => new Float32Array() };
  return interpret(graph, planOf(graph), bindings).outputs[0];
}

function assemble(
  random: Random,
  inputs: readonly NdArray[],
  initial: readonly NdArray[],
  steps: readonly Step[],
  entries: readonly Entry[],
): Scenario {
  const used = new Set(steps.flatMap(({ operands }) => operands));
  const all = range(entries.length);
  const ends = all.filter((i) => !used.has(i));
  const outputs = random.shuffle([...ends, ...all.filter((i) => used.has(i) && random.chance(0.12))]);
  if (random.chance(0.2)) outputs.push(random.pick(outputs));
  const differentiated = random.chance(0.4) ? random.pick(ends) : undefined;
  const updates = initial.flatMap(({ shape }, i) => {
    const fitting = all.filter((at) => entries[at].value.dtype === "f32" && sameShape(entries[at].value.shape, shape));
    return random.chance(0.8) ? [{ variable: i, value: random.pick(fitting) }] : [];
  });

  return {
    name: "random",
    inputs: () => inputs,
    variables: () =>
      initial.map(
        ({ shape, data }, i) => new Variable(`v${i}`, shape, { data: data.slice() as Float32Array<ArrayBuffer> }),
      ),
    runs: initial.length > 0 ? 2 : 1,
    build: (leaves, variables) => {
      const tensors = [...leaves, ...variables.map(valueOf)];
      for (const step of steps) tensors.push(step.apply(step.operands.map((i) => tensors[i])));
      const gradients =
        differentiated === undefined
          ? []
          : gradientsOf(tensors[differentiated], tensors.slice(0, entries.length - steps.length));
      return {
        outputs: [...outputs.map((i) => tensors[i]), ...gradients],
        updates: updates.map(({ variable, value }) => ({ variable: variables[variable], value: tensors[value] })),
      };
    },
  };
}

function gradientsOf(end: Tensor, leaves: readonly Tensor[]): Tensor[] {
  if (end.dtype !== "f32") return [];
  return grad(
    end.sin().sum(),
    leaves.filter(({ dtype }) => dtype === "f32"),
  );
}
