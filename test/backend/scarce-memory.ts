import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { compile } from "../../src/backend/compile.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";

// For a process of its own, on Linux: the system refuses it memory, and it prints as JSON what came of that.

const MIB = 2 ** 20;
const LENGTH = (256 * MIB) / 4;

/** Lets the process have so much more than it has, or all it wants. */
function limitMemory(bytes: number): void {
  const [, kilobytes] = /VmSize:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const limit = bytes === Infinity ? "unlimited" : Number(kilobytes) * 1024 + bytes;
  execFileSync("prlimit", ["--pid", String(process.pid), `--as=${limit}:unlimited`]);
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    return error instanceof Error ? `${error.constructor.name}: ${error.message}` : String(error);
  }
}

const backend = await createWebGpuBackend();
const counter = new Variable("counter", [3]);
const count = compile(backend, ({ x }) => ({
  outputs: {},
  updates: [{ variable: counter, value: valueOf(counter).add(x) }],
}));
const sum = compile(backend, (inputs) => ({
  outputs: {
    sum: Object.values<Tensor>(inputs)
      .map((x) => x.sum())
      .reduce((a, b) => a.add(b)),
  },
}));
const large = new Variable("large", [LENGTH], { data: new Float32Array(LENGTH).fill(3) });
const useLarge = compile(backend, ({ x }) => ({ outputs: { y: valueOf(large).multiply(x).sum() } }));
const one = ndarray([1], []);
await count({ x: one });
await counter.read();
const bytes = backend.allocatedBytes;

limitMemory(192 * MIB);
const program = await faultOf(
  sum.prepare(Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, { shape: [LENGTH], dtype: "f32" }]))),
);
const variable = await faultOf(useLarge.prepare({ x: one }));
await count({ x: one });
limitMemory(Infinity);
const kept = {
  counter: Array.from(await counter.read()),
  large: (await large.read()).at(-1),
  bytes: backend.allocatedBytes - bytes,
};
limitMemory(192 * MIB);
const buffer = backend.device.createBuffer({ size: 512 * MIB, usage: 0x80 });
await backend.device.queue.onSubmittedWorkDone();
const unasked = await faultOf(count({ x: one }));
limitMemory(Infinity);
buffer.destroy();
console.log(JSON.stringify({ program, variable, unasked, kept }));
process.exit();
