import { describe, expect, test } from "vitest";
import { compileGraph } from "../../../compiler/compiler.ts";
import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer, Kernel, MapKernel } from "../../../compiler/program.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../../models/unet/unet.ts";
import { grad } from "../../../tensor/autodiff/grad.ts";
import { full, valueOf } from "../../../tensor/tensor.ts";
import { Variable } from "../../../tensor/variable.ts";
import { chainKernels, kernelsOf } from "./chains.ts";
import type { Step } from "./chains.ts";
import { updateEarly } from "./early-updates.ts";
import { wasmTarget } from "./wasm-target.ts";

/** By step: which step has written what it reads; and last of all, who has written each buffer at the end. */
function origins(steps: readonly Step[]): Map<Step | "end", Map<Buffer, Step>> {
  const writers = new Map<Buffer, Step>();
  const seen = new Map<Step | "end", Map<Buffer, Step>>();
  for (const step of steps) {
    const reads = new Set(kernelsOf(step).flatMap((kernel) => Array.from(readsOf(kernel))));
    seen.set(step, new Map([...writers].filter(([buffer]) => reads.has(buffer))));
    for (const buffer of kernelsOf(step).flatMap(writesOf)) writers.set(buffer, step);
  }
  return seen.set("end", writers);
}

let buffers = 0;
const bufferOf = (length: number, variable?: string): Buffer => ({
  id: buffers++,
  dtype: "f32",
  length,
  source:
    variable === undefined ? { kind: "temporary" } : { kind: "variable", variable: new Variable(variable, [length]) },
});

function copy(from: Buffer, to: Buffer): Step {
  const index = { offset: 0, coefficients: [1] };
  const value = { kind: "load", dtype: "f32", buffer: from, index } as const;
  const kernel: MapKernel = { kind: "map", axes: [to.length], stores: [{ buffer: to, index, value }] };
  return { kind: "single", kernel, place: 0 };
}

describe("updates of variables", () => {
  const model = new Unet({ dim: 32, channels: 1, dimMults: [1, 2, 4], resnetBlockGroups: 4 });
  const diffusion = new GaussianDiffusion({ timesteps: 10 });
  const parameters = [...model.parameters().values()];
  const [images, t, noise] = [full([4, 8, 8, 1], 0.5), full([4], 3, "i32"), full([4, 8, 8, 1], 0.25)];
  const loss = diffusion.pLosses(model, images, t, noise);
  const gradients = grad(loss, parameters.map(valueOf));
  const updates = parameters.map(({ name, shape }, i) => {
    // As the trainer keeps what processes exchange: elsewhere, updates that are alike are one kernel at the end.
    const variable = new Variable(`${name}.grad`, shape, { isExchanged: true });
    return { variable, value: valueOf(variable).add(gradients[i].multiply(0.5)) };
  });
  const { kernels, outputs } = compileGraph({ inputs: [], outputs: [loss], updates }, wasmTarget);
  const steps = chainKernels({ kernels, shared: outputs, start: 0 }, { fewestSlices: Infinity, leastBytes: 0 });
  const early = updateEarly(steps, new Set(outputs));

  /** Of the gradients' bytes, the share that is written before the last gradient by a filter begins. */
  function shareBeforeTheEnd(order: readonly Step[]): number {
    const flat: Kernel[] = order.flatMap(kernelsOf);
    const last = flat.findLastIndex(({ kind }) => kind === "filterGradient");
    const bytes = (some: readonly Kernel[]): number =>
      some.flatMap(writesOf).reduce((sum, { source, length }) => sum + (source.kind === "variable" ? length : 0), 0);
    return bytes(flat.slice(0, last)) / bytes(flat);
  }

  test("run while the backward pass goes on, rather than after it", () => {
    expect(shareBeforeTheEnd(steps)).toBe(0);
    expect(shareBeforeTheEnd(early)).toBeGreaterThan(0.5);
  });

  test("read and leave what they would in the order of the graph", () => {
    expect(new Set(early)).toEqual(new Set(steps));
    expect(early).toHaveLength(steps.length);
    expect(origins(early)).toEqual(origins(steps));
  });

  test("come before what changes what they read", () => {
    const [input, result, other] = [bufferOf(9), bufferOf(9), bufferOf(9)];
    const [a, b] = [bufferOf(9, "a"), bufferOf(9, "b")];
    const order = [copy(input, other), copy(b, a), copy(other, b), copy(b, result)];
    const moved = updateEarly(order, new Set([result]));
    expect(origins(moved)).toEqual(origins(order));
    expect(moved.indexOf(order[1])).toBeLessThan(moved.indexOf(order[2]));
  });

  test("gather until they are worth the meeting of all threads", () => {
    const inputs = Array.from({ length: 12 }, () => bufferOf(2 ** 15));
    const made = Array.from({ length: 12 }, () => bufferOf(2 ** 15));
    const results = Array.from({ length: 12 }, () => bufferOf(2 ** 15));
    const writes = made.map((buffer, i) => copy(buffer, bufferOf(2 ** 15, `v${i}`)));
    const order = [...made.flatMap((buffer, i) => [copy(inputs[i], buffer), copy(buffer, results[i])]), ...writes];
    const places = updateEarly(order, new Set(results)).map((step) => (writes.includes(step) ? "w" : "."));
    // 2 of 128 KiB each.
    expect(places.join("")).toMatch(/^(\.{3,5}ww)+\.*$/);
  });
});
