import { expect, test } from "vitest";
import { planMemory } from "./memory.ts";
import type { Buffer, BufferSource, Expression, MapKernel } from "./program.ts";

const buffer = (id: number, source: BufferSource): Buffer => ({ id, dtype: "f32", length: 32, source });
const index = { offset: 0, coefficients: [1] };

function copy(from: Buffer, to: Buffer): MapKernel {
  const value: Expression = { kind: "load", dtype: "f32", buffer: from, index };
  return { kind: "map", axes: [32], stores: [{ buffer: to, index, value }] };
}

test("only the buffers that are listed get a place: kernels of a slice use others that lie elsewhere", () => {
  const input = buffer(0, { kind: "input", index: 0 });
  const [own, other] = [buffer(1, { kind: "temporary" }), buffer(2, { kind: "temporary" })];
  const kernels = [copy(input, own), copy(own, other)];
  const { offsets, bytes } = planMemory({ kernels, buffers: [own], outputs: [] });
  expect([...offsets]).toEqual([[own, 0]]);
  expect(bytes).toBe(128);
  const whole = planMemory({ kernels, buffers: [input, own, other], outputs: [other] });
  expect(new Set(whole.offsets.keys())).toEqual(new Set([input, own, other]));
});
