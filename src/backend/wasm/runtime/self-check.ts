import { encodeModule } from "../assembly/encode-module.ts";
import { FunctionBuilder } from "../assembly/function-builder.ts";
import { ModuleBuilder } from "../assembly/module-builder.ts";
import { f32x4 } from "../assembly/vector-instructions.ts";
import { callMicroKernel, emitMicroKernel } from "../kernels/micro-kernel.ts";
import type { MicroKernel } from "../kernels/micro-kernel.ts";
import type { Features } from "../program/module.ts";

const ROWS = 4;
const VECTORS = 4;
const SUM = 37;
const MEMORY = { minimum: 1, maximum: 1, shared: false };

/** The kernel under test; a test passes a wrong one. */
export type MakeKernel = (features: Features) => MicroKernel;

const realKernel: MakeKernel = ({ relaxed }) =>
  emitMicroKernel({ rows: ROWS, vectors: VECTORS, accumulates: true }, relaxed);

/**
 * Whether a product of small matrices comes out right, computed by the micro-kernel that everything heavy
 * rests on. V8's merging is experimental, so it is used only after this.
 */
export async function computesRightly(features: Features, makeKernel: MakeKernel = realKernel): Promise<boolean> {
  const columns = 4 * VECTORS;
  const [lhs, rhs, out] = [0, ROWS * SUM, ROWS * SUM + SUM * columns];
  const code = new FunctionBuilder();
  code.emit(
    callMicroKernel(makeKernel(features), {
      rows: Array.from({ length: ROWS }, (_, r) => 4 * (lhs + r * SUM)),
      tiles: 1,
      tileStep: 0,
      lhsStep: 4,
      rhs: 4 * rhs,
      rhsStep: 4 * columns,
      count: SUM,
      segments: 1,
      lhsJump: 0,
      out: 4 * out,
      outStep: 4 * columns,
    }),
  );
  const module = new ModuleBuilder();
  module.import({ module: "check", field: "memory", kind: "memory", memory: MEMORY });
  module.export("run", code.finish("run"));
  const memory = new WebAssembly.Memory({ initial: MEMORY.minimum, maximum: MEMORY.maximum });
  const { instance } = await WebAssembly.instantiate(encodeModule(module), { check: { memory } });
  const values = new Float32Array(memory.buffer);
  for (let i = 0; i < out; i++) values[i] = Math.sin(i * 1.7);
  const start = Array.from({ length: ROWS * columns }, (_, i) => Math.cos(i));
  const run = instance.exports["run"] as () => void;
  // Enough calls for the optimising compiler to take over: it is the one to be checked.
  for (let call = 0; call < 2000; call++) {
    values.set(start, out);
    run();
  }
  for (let r = 0; r < ROWS; r++) {
    for (let c = 0; c < columns; c++) {
      let expected = start[r * columns + c];
      for (let k = 0; k < SUM; k++) expected += values[lhs + r * SUM + k] * values[rhs + k * columns + c];
      if (!(Math.abs(values[out + r * columns + c] - expected) < 1e-4)) return false;
    }
  }
  return true;
}

/** Whether the engine multiplies and adds in one instruction. */
export function hasRelaxedSimd(): boolean {
  const code = new FunctionBuilder();
  const vector = code.parameter("vector", "v128");
  const module = new ModuleBuilder();
  module.define(code.finish("check", f32x4.relaxed_madd(vector, vector, vector)));
  return WebAssembly.validate(encodeModule(module));
}
