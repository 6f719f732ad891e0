import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { measuredTarget } from "../../src/backend/common/measured-target.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { wasmTarget } from "../../src/backend/wasm/program/wasm-target.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { webgpuTarget } from "../../src/backend/webgpu/program/webgpu-target.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { planMemory } from "../../src/compiler/memory.ts";
import type { Target } from "../../src/compiler/target.ts";
import { checkProgram } from "../../src/compiler/verify.ts";
import { mergeHeads, scaledDotProduct } from "../../src/nn/attention/scaled-dot-product.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { literal } from "../../src/tensor/tensor.ts";
import { evaluate, inputLeaves } from "./context.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Case {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly channels: number;
  /** The result and the gradients by queries, keys and values: every so many-th number of each, at most 200. */
  readonly values: readonly (readonly number[])[];
}

const fixture = new URL("../fixtures/attention/expected.json", import.meta.url);
const cases = JSON.parse(readFileSync(fixture, "utf8")) as Readonly<Record<string, Case>>;

/** The numbers of generate.py. */
function numbers(shape: Shape, seed: number): NdArray {
  const value = (_: unknown, i: number): number => ((i * 7919 + seed * 104729) % 2003) / 1001.5 - 1;
  return { shape, dtype: "f32", data: Float32Array.from({ length: sizeOf(shape) }, value) };
}

/** The result and the gradients, whole. */
function attend(backend: Backend, { batch, queries, keys, heads, channels }: Case): Promise<NdArray[]> {
  const of = (tokens: number, seed: number): NdArray => numbers([batch, tokens, heads, channels], seed);
  return evaluate(backend, [of(queries, 1), of(keys, 2), of(keys, 3)], ([q, k, v]) => {
    const y = scaledDotProduct(q.multiply(3), k.multiply(2), v).transpose([0, 2, 1, 3]);
    return [y, ...grad(y.multiply(literal(of(queries, 4))).sum(), [q, k, v])];
  });
}

/** The largest difference, relative to the largest value. */
function error({ data }: NdArray, expected: readonly number[]): number {
  const step = Math.max(1, Math.ceil(data.length / 200));
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const differences = expected.map((value, i) => Math.abs(data[i * step] - value));
  return differences.reduce((most, difference) => Math.max(most, difference), 0) / largest;
}

const noWebGpu = await whyNoWebGpu();
const webGpu = (precision: "f32" | "f16") => ({
  open: () => createWebGpuBackend({ precision }),
  fault: noWebGpu,
});

/** A driver in software that clears workgroup memory, which takes little of it. */
async function openAsInPage(): Promise<Backend> {
  const { create } = await import("webgpu");
  dawn = create([]);
  return WebGpuBackend.create({ gpu: dawn, clearsWorkgroupMemory: true, environment: () => undefined });
}
/** It crashes if it is collected while one of its devices is in use. */
let dawn: GPU | undefined;

describe("attention to a thousand tokens, and its gradients, are PyTorch's", () => {
  interface Opening {
    readonly open: () => Promise<Backend>;
    readonly fault?: string | undefined;
    /** How many of the cases; all unless given. */
    readonly count?: number;
  }
  test.for<[string, Opening, number]>([
    ["reference", { open: async () => ReferenceBackend.create() }, 2e-6],
    ["wasm", { open: () => createWasmBackend({ threads: 2 }) }, 5e-6],
    ["wasm, 128-bit SIMD", { open: () => createWasmBackend({ threads: 1, wide: false }) }, 5e-6],
    ["webgpu", webGpu("f32"), 5e-6],
    ["webgpu, the tiles of pages without a GPU", { open: openAsInPage, fault: noWebGpu, count: 1 }, 5e-6],
    ["webgpu in half precision", webGpu("f16"), 5e-3],
  ])("on %s", async ([, { open, fault, count }, tolerance], { skip }) => {
    if (fault !== undefined) skip(fault);
    const backend = await open();
    for (const [name, each] of Object.entries(cases).slice(0, count)) {
      const results = await attend(backend, each);
      results.forEach((result, i) => {
        const place = `${name}, ${["result", "queries", "keys", "values"][i]}`;
        expect(error(result, each.values[i]), place).toBeLessThan(tolerance);
      });
    }
    await backend.close();
  });

  test("to the same bits on one thread and on two", async () => {
    const results: NdArray[][] = [];
    for (const threads of [1, 2]) {
      const backend = await createWasmBackend({ threads });
      results.push(await attend(backend, cases["few"]));
      await backend.close();
    }
    expect(results[0].map(({ data }) => data)).toEqual(results[1].map(({ data }) => data));
  });
});

describe("attention of 4,096 tokens with 8 heads of 40 channels", () => {
  const tokens = 4096;
  const similarities = 8 * tokens * tokens;
  const [qkv] = inputLeaves([{ shape: [1, tokens, 3 * 320], dtype: "f32" }]);
  const [q, k, v] = qkv.chunk(3).map((part) => part.reshape([1, tokens, 8, 40]));
  const y = mergeHeads(scaledDotProduct(q, k, v));
  const programs = {
    forward: [y],
    backward: grad(y.multiply(y).sum(), [qkv]),
  };
  /** Bytes at a time, and elements of the largest buffer. */
  const memoryOf = (outputs: typeof programs.forward, target: Target): { bytes: number; largest: number } => {
    const program = compileGraph({ inputs: [qkv], outputs, updates: [] }, target);
    checkProgram(program);
    const largest = program.buffers.reduce((most, { length }) => Math.max(most, length), 0);
    return { bytes: planMemory(program).bytes, largest };
  };

  test.for(["forward", "backward"] as const)("holds no similarities at any time, %s", (pass) => {
    const before = memoryOf(programs[pass], { ...measuredTarget, fusesAttention: () => false });
    expect(before.largest).toBe(similarities);
    for (const target of [wasmTarget, webgpuTarget]) {
      const { bytes, largest } = memoryOf(programs[pass], target);
      expect(largest).toBe(qkv.size);
      expect(bytes).toBeLessThan(before.bytes / 25);
    }
  });
});
