import { afterEach, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { newOptimizer } from "../../src/optim/optimizers.ts";
import { scalar, valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { largestDifference } from "../support/evaluate.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";

vi.setConfig({ testTimeout: 120_000 });

const fault = await whyNoWebGpu();

const opened: WebGpuBackend[] = [];
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

const SHAPES = [[3, 5], [7], [40], [3, 5], [130]];
const SETTINGS = { adamBetas: [0.9, 0.99], adamEpsilon: 1e-8, momentum: 0.9, nesterov: true } as const;

function parameters(): Variable[] {
  return SHAPES.map((shape, i) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at + 10 * i));
    return new Variable(`w${i}`, shape, { data });
  });
}

/** Steps of all variables, and of some of them in another order; and one that has a variable come to the device alone. */
function programsOf(backend: Backend, variables: readonly Variable[]) {
  const updates = (name: "adam" | "sgd", of: readonly Variable[], gradient: (value: Tensor) => Tensor) =>
    newOptimizer(name, of, SETTINGS).updates(
      of.map((variable) => gradient(valueOf(variable))),
      scalar(0.05),
    );
  const adam = updates("adam", variables, (value) => value.subtract(0.3));
  const some = [variables[3], variables[1], variables[0]];
  const sgd = updates("sgd", some, (value) => value.multiply(0.7));
  const doubled = some.map((variable) => ({ variable, value: valueOf(variable).sin().multiply(2) }));
  return {
    programs: [
      compile(backend, () => ({ outputs: {}, updates: adam })),
      compile(backend, () => ({ outputs: { y: valueOf(variables[2]).sum() }, updates: sgd })),
      compile(backend, () => ({ outputs: {}, updates: doubled })),
      compile(backend, () => ({ outputs: { sum: valueOf(variables[3]).sum() } })),
    ],
    written: [...adam, ...sgd].map(({ variable }) => variable),
  };
}

/** Has programs that want variables to lie in different orders take turns, with the host reading and writing between. */
async function turns(backend: Backend, variables: readonly Variable[]): Promise<Float32Array[]> {
  const { programs, written } = programsOf(backend, variables);
  const [adam, sgd, sines, alone] = programs;
  await alone();
  for (const step of [adam, sgd, sgd, adam, sines, adam, sgd, sines]) {
    await step();
    const value = await variables[1].read();
    await variables[1].write(value.map((x) => x / 2));
  }
  await variables[0].moveToHost();
  await adam();
  const values: Float32Array[] = [];
  for (const variable of variables) values.push(Float32Array.from(await variable.read()));
  for (const program of programs) program.dispose();
  for (const variable of new Set(written)) await variable.moveToHost();
  return values;
}

describe.skipIf(fault !== undefined)(`buffers that lie together on WebGPU (${fault ?? "an adapter is there"})`, () => {
  test.each(["f32", "f16"] as const)(
    "hold what each alone would, wherever programs want them (%s)",
    async (precision) => {
      const backend = await createWebGpuBackend({ precision });
      opened.push(backend);
      const created = vi.spyOn(backend.device, "createBuffer");
      const values = await turns(backend, parameters());
      const expected = await turns(ReferenceBackend.create(), parameters());
      values.forEach((value, i) => expect(largestDifference(value, expected[i]), `w${i}`).toBeLessThan(2e-6));
      // Adam's moments are laid once, and parameters anew after another program has moved some away.
      const start = precision === "f32" ? 256 : 512;
      const arenas = created.mock.calls.filter(([{ size }]) => size > 4 * start + 4 * 7);
      expect(arenas.length).toBeGreaterThanOrEqual(6);
      // What is left is what results are read by.
      const left = backend.allocatedBytes;
      await turns(backend, parameters());
      expect(backend.allocatedBytes).toBe(left);
    },
  );
});
