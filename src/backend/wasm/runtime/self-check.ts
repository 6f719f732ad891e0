import type { Assemble } from "./assembler.ts";
import { callMicro, microKernel } from "../kernels/micro-kernel.ts";
import type { Features } from "../program/module.ts";
import { i32 } from "../emit/writer.ts";

const ROWS = 4;
const VECTORS = 4;
const SUM = 37;

/** The kernel under test; a test passes a wrong one. */
export type MakeKernel = (features: Features) => string;

const realKernel: MakeKernel = ({ relaxed }) => microKernel(ROWS, VECTORS, { accumulates: true, relaxed });

/**
 * Whether a product of small matrices comes out right, computed by the micro-kernel that everything heavy
 * rests on. V8's merging is experimental, so it is used only after this.
 */
export async function computesRightly(
  assemble: Assemble,
  features: Features,
  makeKernel: MakeKernel = realKernel,
): Promise<boolean> {
  const columns = 4 * VECTORS;
  const [lhs, rhs, out] = [0, ROWS * SUM, ROWS * SUM + SUM * columns];
  const call = callMicro({ rows: ROWS, vectors: VECTORS }, true, {
    rows: Array.from({ length: ROWS }, (_, r) => i32(4 * (lhs + r * SUM))),
    tiles: i32(1),
    tileStep: i32(0),
    lhsStep: i32(4),
    rhs: i32(4 * rhs),
    rhsStep: i32(4 * columns),
    count: i32(SUM),
    segments: i32(1),
    lhsJump: i32(0),
    out: i32(4 * out),
    outStep: i32(4 * columns),
  });
  const text = `(module (memory (export "memory") 1) ${makeKernel(features)} (func (export "run") ${call}))`;
  const { instance } = await WebAssembly.instantiate(await assemble(text, features));
  const values = new Float32Array((instance.exports["memory"] as WebAssembly.Memory).buffer);
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

/** (func (result v128) ... f32x4.relaxed_...): a module that only engines with relaxed SIMD accept. */
const RELAXED_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

/** Whether the engine multiplies and adds in one instruction. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED_MODULE);
}
