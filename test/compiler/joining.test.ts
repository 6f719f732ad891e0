import { expect, test } from "vitest";
import { compile } from "../../src/backend/compile.ts";
import { wasmTarget } from "../../src/backend/wasm/program/wasm-target.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { Arenas } from "../../src/compiler/joining/arenas.ts";
import { joinAlike } from "../../src/compiler/joining/join.ts";
import type { Buffer, Expression, Kernel, Program, Store } from "../../src/compiler/program.ts";
import { checkProgram } from "../../src/compiler/verify.ts";
import { newOptimizer, optimizerNames } from "../../src/optim/optimizers.ts";
import type { OptimizerName } from "../../src/optim/optimizers.ts";
import type { Update } from "../../src/tensor/graph.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { scalar, valueOf } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";

const shapes: readonly Shape[] = [[3, 5], [7], [2, 2, 3, 3], [40]];

function parametersOf(shapes: readonly Shape[], options: { readonly isExchanged?: boolean } = {}): Variable[] {
  return shapes.map((shape, i) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at + 10 * i));
    return new Variable(`w${i}`, shape, { data, ...options });
  });
}

/** A step whose gradients are the parameters' own values. */
function stepOf(optimizer: OptimizerName, parameters: readonly Variable[]): Update[] {
  const settings = { adamBetas: [0.9, 0.99], adamEpsilon: 1e-8, momentum: 0.9, nesterov: true } as const;
  return newOptimizer(optimizer, parameters, settings).updates(parameters.map(valueOf), scalar(0.01));
}

function programOf(updates: readonly Update[]): Program {
  const program = compileGraph({ inputs: [], outputs: [], updates }, wasmTarget);
  checkProgram(program);
  return program;
}

test.each(optimizerNames)("one kernel takes %s's step of all parameters, which lie together", (name) => {
  const { kernels, arenas } = programOf(stepOf(name, parametersOf(shapes)));
  const large = kernels.filter(({ kind }) => kind === "map").filter((kernel) => "axes" in kernel && kernel.axes[0] > 1);
  expect(large).toHaveLength(1);
  for (const arena of arenas) expect(arena.map(({ length }) => length)).toEqual([40, 36, 7, 15]);
  expect(arenas).toHaveLength(name === "sgd" ? 2 : 3);
});

test("no more lies together than a device takes as one, and no variable beside what is the program's", () => {
  const { joining } = wasmTarget;
  if (!joining) throw new Error("wasm joins kernels");
  const parameters = parametersOf([[40], [40], [40], [40], [40]]);
  const { kernels, buffers, outputs } = compileGraph(
    { inputs: [], outputs: [], updates: stepOf("adam", parameters) },
    { ...wasmTarget, joining: undefined },
  );
  const few = joinAlike({ kernels, buffers, outputs }, { ...joining, alignment: 16, mostTogether: 100 });
  checkProgram(few);
  expect(few.arenas.map((arena) => arena.length)).toEqual([2, 2, 2, 2, 2, 2]);
});

test("no variable lies beside what is the program's", () => {
  const { joining } = wasmTarget;
  if (!joining) throw new Error("wasm joins kernels");
  const [w] = parametersOf([[40]]);
  const buffers = [0, 1, 2, 3, 4, 5].map((id): Buffer => ({
    id,
    dtype: "f32",
    length: 40,
    source: id === 0 ? { kind: "variable", variable: w } : { kind: "temporary" },
  }));
  const index = { offset: 0, coefficients: [1] };
  const sine = (from: Buffer, to: Buffer): Kernel => {
    const load: Expression = { kind: "load", dtype: "f32", buffer: from, index };
    const value: Expression = { kind: "apply", dtype: "f32", op: { kind: "sine" }, args: [load] };
    return { kind: "map", axes: [40], stores: [{ buffer: to, index, value }] };
  };
  const [variable, x, y, a, b, c] = buffers;
  const { kernels, arenas } = joinAlike(
    { outputs: [], buffers, kernels: [sine(variable, a), sine(x, b), sine(y, c)] },
    joining,
  );
  expect(kernels).toHaveLength(2);
  expect(new Set(arenas.map((arena) => new Set(arena)))).toEqual(new Set([new Set([x, y]), new Set([b, c])]));
});

test("variables that processes exchange stay where they came to", () => {
  const { arenas } = programOf(stepOf("adam", parametersOf(shapes, { isExchanged: true })));
  expect(arenas).toEqual([]);
});

test("parameters that lay elsewhere before are moved together, with the results that each would have alone", async () => {
  const backend = await createWasmBackend({ threads: 2 });
  try {
    const [together, alone] = [parametersOf(shapes), parametersOf(shapes)];
    // A program that wants them in another order brings them to the device.
    for (const variable of together.toReversed()) {
      await compile(backend, () => ({ outputs: { sum: valueOf(variable).sum() } }))();
    }
    const updates = stepOf("adam", together);
    const step = compile(backend, () => ({ outputs: {}, updates }));
    const steps = alone.map((variable) => {
      const own = stepOf("adam", [variable]);
      return compile(backend, () => ({ outputs: {}, updates: own }));
    });
    for (let i = 0; i < 3; i++) {
      await step();
      for (const one of steps) await one();
      // Whoever reads or writes a variable finds it where it is now.
      for (const variable of [together[1], alone[1]]) await variable.write((await variable.read()).map((x) => 2 * x));
    }
    const values = (variables: readonly Variable[]) => Promise.all(variables.map((variable) => variable.read()));
    expect(await values(together)).toEqual(await values(alone));
  } finally {
    await backend.close();
  }
});

test.each([
  ["element by element", [1], [40], 2],
  ["from its start", [7, 1], [5, 7], 1],
])("kernels that all read one buffer %s are as many as can read it together", (_, coefficients, axes, count) => {
  const { joining } = wasmTarget;
  if (!joining) throw new Error("wasm joins kernels");
  const length = axes.reduce((product, axis) => product * axis, 1);
  const buffers = [0, 1, 2, 3, 4, 5].map((id): Buffer => ({
    id,
    dtype: "f32",
    length,
    source: { kind: "temporary" },
  }));
  const index = { offset: 0, coefficients };
  const store = (buffer: Buffer, op: "multiply" | "negate" | "sqrt" | "exponential", ...from: Buffer[]): Store => {
    const args = from.map((read): Expression => ({ kind: "load", dtype: "f32", buffer: read, index }));
    return { buffer, index, value: { kind: "apply", dtype: "f32", op: { kind: op }, args } };
  };
  const map = (...stores: Store[]): Kernel => ({ kind: "map", axes, stores });
  const [input, shared, a, b, x, y] = buffers;
  const kernels = [
    map(store(shared, "negate", input)),
    map(store(a, "sqrt", input)),
    map(store(b, "exponential", input)),
    map(store(x, "multiply", a, shared)),
    map(store(y, "multiply", b, shared)),
  ];
  expect(joinAlike({ outputs: [], buffers, kernels }, joining).kernels).toHaveLength(3 + count);
});

test("what lies together stays so, in its order, when more comes to lie beside it", () => {
  const buffers = Array.from({ length: 6 }, (_, id): Buffer => {
    return { id, dtype: "f32", length: 5, source: { kind: "temporary" } };
  });
  const [a, b, c, d, e, f] = buffers;
  const arenas = new Arenas(16);
  arenas.place([c, a]);
  expect(arenas.order([[a, b, c, d]])).toEqual({ order: [2, 0, 1, 3] });
  // Another operand's buffers have an order of their own.
  arenas.place([e, f]);
  expect(
    arenas.order([
      [a, c],
      [e, f],
    ]),
  ).toEqual({ obstacles: new Set([0, 1]) });
  expect(arenas.order([[a, b]])).toEqual({ obstacles: new Set([0]) });
  expect(arenas.place([c, a, b])).toMatchObject({ length: 40, source: { parts: [c, a, b] } });
  expect(arenas.all).toEqual([
    [c, a, b],
    [e, f],
  ]);
});
