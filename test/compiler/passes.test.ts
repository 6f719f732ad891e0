import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { measuredTarget } from "../../src/backend/common/measured-target.ts";
import { legalize } from "../../src/compiler/passes/legalize.ts";
import { planMemory } from "../../src/compiler/memory.ts";
import { readsOf, writesOf } from "../../src/compiler/accesses.ts";
import type { Buffer, Program } from "../../src/compiler/program.ts";
import { simplify } from "../../src/compiler/passes/simplify.ts";
import { checkLegal, checkProgram } from "../../src/compiler/verify.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { Unet } from "../../src/models/unet/unet.ts";
import type { Fusion, Splitting, Target } from "../../src/compiler/target.ts";
import { conv2d, softmax } from "../../src/tensor/functions/functions.ts";
import { groupNorm } from "../../src/tensor/functions/norm.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Graph } from "../../src/tensor/graph.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { concatenate, valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Adam } from "../../src/optim/adam.ts";
import { inputLeaves } from "../backend/context.ts";
import { drawScenario } from "../backend/random-graph.ts";
import { Random } from "../support/random.ts";

const compile = (graph: Graph, target = measuredTarget): Program => compileGraph(graph, target);

/** A training step of a small U-Net: the kind of graph that the compiler is for. */
function trainingStep(): { graph: Graph; inputs: NdArray[] } {
  const random = new Random(1);
  const model = new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
  const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "huber" });
  const parameters = [...model.parameters().values()];
  const shape = [2, 8, 8, 1];
  const t: NdArray = { shape: [2], dtype: "i32", data: Int32Array.of(3, 7) };
  const inputs = [random.array(shape), t, random.array(shape)];
  const leaves = inputLeaves(inputs);
  const loss = diffusion.pLosses(model, leaves[0], leaves[1], leaves[2]);
  const updates = new Adam(parameters, { learningRate: 1e-3 }).updates(grad(loss, parameters.map(valueOf)));
  return { graph: { inputs: leaves, outputs: [loss], updates }, inputs };
}

function randomGraph(seed: number): { graph: Graph; inputs: readonly NdArray[] } {
  const scenario = drawScenario(seed);
  const inputs = scenario.inputs?.(new Random(seed)) ?? [];
  const leaves = inputLeaves(inputs);
  const { outputs, updates = [] } = scenario.build(leaves, scenario.variables?.(new Random(seed)) ?? []);
  return { graph: { inputs: leaves, outputs, updates }, inputs };
}

async function outputsOf(graph: Graph, inputs: readonly NdArray[]): Promise<NdArray[]> {
  const executable = await ReferenceBackend.create().load({ ...graph, updates: [] });
  return executable.run(inputs);
}

/** Differences that another order of rounding explains, as a share of an output's largest value. */
const ROUNDING = 2e-4;

async function expectSameMeaning(before: Graph, after: Graph, inputs: readonly NdArray[]): Promise<void> {
  const expected = await outputsOf(before, inputs);
  const actual = await outputsOf(after, inputs);
  expected.forEach((output, i) => {
    const values = Array.from(output.data);
    const scale = Math.max(1e-3, ...values.map(Math.abs));
    const worst = Math.max(0, ...values.map((x, at) => Math.abs(x - actual[i].data[at])));
    expect(actual[i].shape).toEqual(output.shape);
    expect(worst / scale).toBeLessThan(ROUNDING);
  });
}

/** No two buffers that are in use at the same time overlap. */
function expectPlanHolds(program: Program): void {
  const { offsets, bytes } = planMemory(program);
  const spans = new Map<Buffer, [first: number, last: number]>();
  program.kernels.forEach((kernel, step) => {
    for (const buffer of [...readsOf(kernel), ...writesOf(kernel)]) {
      const start = buffer.source.kind === "input" ? -1 : step;
      spans.set(buffer, [spans.get(buffer)?.[0] ?? start, step]);
    }
  });
  for (const buffer of program.outputs) {
    const span = spans.get(buffer);
    if (span) span[1] = program.kernels.length;
  }
  const placed = [...spans].flatMap(([buffer, span]) => {
    const offset = offsets.get(buffer);
    return offset === undefined ? [] : [{ span, start: offset, end: offset + 4 * buffer.length }];
  });
  for (const a of placed) {
    expect(a.end).toBeLessThanOrEqual(bytes);
    for (const b of placed) {
      const lived = a !== b && a.span[0] <= b.span[1] && b.span[0] <= a.span[1];
      if (lived && a.start < b.end && b.start < a.end) expect.fail(`buffers at ${a.start} and ${b.start} overlap`);
    }
  }
}

describe("the passes", () => {
  test("keep the meaning of a training step, and leave what the next pass may rely on", async () => {
    const { graph, inputs } = trainingStep();
    const simple = simplify(graph);
    await expectSameMeaning(graph, simple, inputs);
    const legal = legalize(simple, measuredTarget.splitting);
    checkLegal(legal);
    await expectSameMeaning(simple, legal, inputs);
    const program = compile(graph);
    checkProgram(program);
    expectPlanHolds(program);
  });

  test.for(Array.from({ length: 60 }, (_, i) => i))("do so with random graph %i", async (seed) => {
    const { graph, inputs } = randomGraph(seed);
    const legal = legalize(simplify(graph), measuredTarget.splitting);
    checkLegal(legal);
    await expectSameMeaning(graph, legal, inputs);
    const program = compile(graph);
    checkProgram(program);
    expectPlanHolds(program);
  });
});

describe("scheduling", () => {
  test("fuses a chain of elementwise work into one kernel", () => {
    const [x] = inputLeaves([{ shape: [64, 32], dtype: "f32" }]);
    const program = compile({
      inputs: [x],
      outputs: [x.multiply(2).add(1).exp().transpose().slice(0, 1, 9)],
      updates: [],
    });
    expect(program.kernels.map((kernel) => kernel.kind)).toEqual(["map"]);
  });

  test("makes softmax one kernel that reads its rows from the cache", () => {
    const [x] = inputLeaves([{ shape: [128, 32], dtype: "f32" }]);
    const exp = x.subtract(x.max(1, true)).exp();
    const program = compile({ inputs: [x], outputs: [exp.divide(exp.sum(1, true))], updates: [] });
    expect(program.kernels).toMatchObject([{ kind: "reduce", stages: [{}, {}, {}] }]);
  });

  test("adds a bias where a product is stored", () => {
    const [x, w, b] = inputLeaves([[16, 8], [8, 4], [4]].map((shape) => ({ shape, dtype: "f32" })));
    const program = compile({ inputs: [x, w, b], outputs: [x.matmul(w).add(b)], updates: [] });
    expect(program.kernels.map((kernel) => kernel.kind)).toEqual(["dot"]);
  });

  test("stores nothing on the way to what only one kernel is left to read", () => {
    const [x, y, z] = inputLeaves(Array.from({ length: 3 }, () => ({ shape: [64, 32], dtype: "f32" })));
    const inner = x.multiply(y).add(z);
    const gate = inner.sigmoid();
    // Everything below needs the gradient of silu, and so the gate, until that gradient is stored.
    const slope = gate.multiply(inner.multiply(gate.multiply(-1).add(1)).add(1)).multiply(y);
    const outputs = [slope.sum(0), slope.multiply(x).sum(1), slope.multiply(z).exp()];
    const program = compile({ inputs: [x, y, z], outputs, updates: [] });
    // What follows from the slope element by element is computed with it, and one of its sums.
    expect(program.kernels.map(({ kind }) => kind)).toEqual(["reduce", "reduce"]);
  });

  test("has a reduction store the terms that it sums", () => {
    const [x, y] = inputLeaves(Array.from({ length: 2 }, () => ({ shape: [8, 64, 32], dtype: "f32" })));
    const terms = x.multiply(y).exp();
    const kindsOf = (axes: number[]) =>
      compile({ inputs: [x, y], outputs: [terms, terms.sum(axes)], updates: [] }).kernels;
    expect(kindsOf([1])).toMatchObject([
      { kind: "reduce", stages: [{ accumulators: [{}], stores: [{}] }], stores: [{}] },
    ]);
    // Sums over a batch are too few to share the work on the terms out.
    expect(kindsOf([0])).toMatchObject([{ kind: "map" }, { kind: "reduce" }]);
    // A term of another place is not known yet.
    const shifted = compile({ inputs: [x, y], outputs: [terms, terms.reverse([1]).square().sum(1)], updates: [] });
    expect(shifted.kernels).toMatchObject([{ kind: "map" }, { kind: "reduce" }]);
  });

  test("copies no concatenation for a pointwise convolution or its gradients", () => {
    const [x, y, w] = inputLeaves(
      [
        [4, 8, 8, 12],
        [4, 8, 8, 20],
        [1, 1, 32, 16],
      ].map((shape) => ({ shape, dtype: "f32" })),
    );
    const result = conv2d(concatenate([x, y], 3), w);
    const outputs = [result, ...grad(result.square().sum(), [w])];
    const { kernels } = compile({ inputs: [x, y, w], outputs, updates: [] });
    const whole = x.size + y.size;
    const copies = kernels.filter((kernel) => writesOf(kernel).some(({ length }) => length === whole));
    expect(kernels.filter(({ kind }) => kind === "dot")).toHaveLength(4);
    expect(copies).toEqual([]);
  });

  test("differentiates softmax by its result alone", () => {
    const [x, w] = inputLeaves(
      [
        [128, 32],
        [32, 16],
      ].map((shape) => ({ shape, dtype: "f32" })),
    );
    const loss = softmax(x).matmul(w).square().sum();
    const { kernels } = compile({ inputs: [x, w], outputs: grad(loss, [x]), updates: [] });
    const readers = kernels.filter((kernel) =>
      [...readsOf(kernel)].some(({ source }) => source.kind === "input" && source.index === 0),
    );
    expect(readers).toHaveLength(1);
    const large = new Set(kernels.flatMap(writesOf).filter(({ length }) => length === x.size));
    // The result, what flows back to it, and the gradient.
    expect(large.size).toBe(3);
  });

  test("takes both moments of a normalization in one pass over the images, and what follows of them in one more kernel", () => {
    for (const groups of [1, 4, 28]) {
      const [x, weight, bias] = inputLeaves([[64, 16, 16, 28], [28], [28]].map((shape) => ({ shape, dtype: "f32" })));
      const outputs = [groupNorm(x, { groups, weight, bias })];
      const { kernels } = compile({ inputs: [x, weight, bias], outputs, updates: [] });
      expect(kernels.map(({ kind }) => kind)).toEqual(
        groups === 28 ? ["reduce", "map", "map"] : ["reduce", "reduce", "map"],
      );
    }
  });

  test("draws random numbers in one kernel, whose rounds take each other's words twice", () => {
    const key = inputLeaves(Array.from({ length: 2 }, () => ({ shape: [], dtype: "u32" }))) as [Tensor, Tensor];
    const outputs = [new RandomStream(key).normal([64, 100])];
    const { kernels } = compile({ inputs: key, outputs, updates: [] });
    expect(kernels.flatMap(writesOf).filter(({ length }) => length > 1)).toMatchObject([{ length: 6400 }]);
  });

  test("has what is used only later wait for what it can be computed with", () => {
    const [x, y] = inputLeaves([[64, 32], [64]].map((shape) => ({ shape, dtype: "f32" })));
    const first = x.multiply(2).exp();
    const between = y.square().sum(0).reshape([1, 1]).broadcastTo([64, 32]);
    const second = first.add(between);
    const { kernels } = compile({ inputs: [x, y], outputs: [first, second], updates: [] });
    expect(kernels.map(({ kind }) => kind)).toEqual(["reduce", "map"]);
  });

  test("goes over the channels of an image in one loop where groups of them share something", () => {
    const [x, weight, bias] = inputLeaves([[64, 8, 8, 28], [28], [28]].map((shape) => ({ shape, dtype: "f32" })));
    const normalized = groupNorm(x, { groups: 4, weight, bias });
    const outputs = grad(normalized.multiply(normalized.sigmoid()).square().sum(), [x, weight, bias]);
    const { kernels } = compile({ inputs: [x, weight, bias], outputs, updates: [] });
    const large = kernels.flatMap((kernel) => ("axes" in kernel && sizeOf(kernel.axes) >= x.size ? [kernel.axes] : []));
    expect(large.length).toBeGreaterThan(2);
    for (const axes of large) expect(axes).toContain(28);
  });

  test("updates Adam's moments and parameters in place", () => {
    const { graph } = trainingStep();
    const program = compile(graph);
    const copies = program.kernels.filter(
      (kernel) =>
        kernel.kind === "map" &&
        kernel.stores.length === 1 &&
        kernel.stores[0].value.kind === "load" &&
        kernel.stores[0].buffer.source.kind === "variable",
    );
    expect(copies).toEqual([]);
  });
});

test("a memory plan of some of a program's buffers places no others", () => {
  const [x] = inputLeaves([{ shape: [64], dtype: "f32" }]);
  const program = compile({ inputs: [x], outputs: [x.exp().reverse([0]).sum().add(x.cos())], updates: [] });
  const some = program.buffers.filter(({ source }) => source.kind === "input");
  const { offsets, bytes } = planMemory({ ...program, buffers: some, outputs: [] });
  expect([...offsets.keys()]).toEqual(some);
  expect(bytes).toBe(256);
});

describe("a target", () => {
  const fusing = (fusion: Partial<Fusion>): Target => ({
    ...measuredTarget,
    fusion: { ...measuredTarget.fusion, ...fusion },
  });
  const splitting = (numbers: Partial<Splitting>): Target => ({
    ...measuredTarget,
    splitting: { ...measuredTarget.splitting, ...numbers },
  });

  test("says how many tensors an expression reads, and a kernel writes", () => {
    const inputs = inputLeaves(Array.from({ length: 9 }, () => ({ shape: [64], dtype: "f32" })));
    const sum = { inputs, outputs: [inputs.reduce((a, b) => a.add(b))], updates: [] };
    expect(compile(sum).kernels).toHaveLength(1);
    expect(compile(sum, fusing({ mostLeaves: 4 })).kernels.length).toBeGreaterThan(1);
    const many = { inputs, outputs: [2, 3, 4, 5].map((n) => inputs[0].multiply(n)), updates: [] };
    expect(compile(many).kernels).toHaveLength(1);
    expect(compile(many, fusing({ mostStores: 2 })).kernels).toHaveLength(2);
  });

  test("says whether a reduction does much to its terms twice", () => {
    const [x] = inputLeaves([{ shape: [128, 32], dtype: "f32" }]);
    const exp = x.subtract(x.max(1, true)).exp();
    const softmax = { inputs: [x], outputs: [exp.divide(exp.sum(1, true))], updates: [] };
    const storesWith = (target: Target) =>
      compile(softmax, target).kernels.flatMap((kernel) =>
        kernel.kind === "reduce" ? kernel.stages.map(({ stores }) => stores.length) : [],
      );
    expect(storesWith(measuredTarget)).toEqual([0, 1, 1]);
    expect(storesWith(fusing({ mostRepeatedOperations: 100 }))).toEqual([0, 0, 1]);
  });

  test("says in how many parts a long product is taken", () => {
    const [a, b] = inputLeaves(
      [
        [4, 8192],
        [8192, 4],
      ].map((shape) => ({ shape, dtype: "f32" })),
    );
    const product = { inputs: [a, b], outputs: [a.matmul(b)], updates: [] };
    const partsOf = (target: Target): number[] =>
      compile(product, target).kernels.map(({ kind }) => (kind === "dot" ? 1 : 0));
    expect(partsOf(measuredTarget)).toEqual([1, 0]);
    expect(partsOf(splitting({ longContraction: 10_000 }))).toEqual([1]);
    const [dot] = compile(product, splitting({ mostParts: 4 })).kernels;
    expect(dot).toMatchObject({ kind: "dot", axes: [4, 4, 4, 2048] });
  });

  test("says whether the gradients of filters are summed image by image", () => {
    const [x, w] = inputLeaves(
      [
        [32, 16, 16, 4],
        [3, 3, 4, 4],
      ].map((shape) => ({ shape, dtype: "f32" })),
    );
    const outputs = grad(conv2d(x, w, { padding: 1 }).square().sum(), [w]);
    const partsWith = (target: Target) =>
      compile({ inputs: [x, w], outputs, updates: [] }, target).kernels.flatMap((kernel) =>
        kernel.kind === "filterGradient" ? [kernel.parts] : [],
      );
    expect(partsWith(measuredTarget)).toEqual([32]);
    expect(partsWith(splitting({ byImage: false }))).toEqual([8]);
  });
});
