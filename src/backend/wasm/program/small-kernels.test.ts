import { describe, expect, test } from "vitest";
import type { Affine } from "../../../compiler/affine.ts";
import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer, MapKernel } from "../../../compiler/program.ts";
import { barriersBefore } from "./barriers.ts";
import type { Single, Step } from "./chains.ts";
import { kernelsOf } from "./chains.ts";
import { joinSmallKernels } from "./small-kernels.ts";

let buffers = 0;
const bufferOf = (length: number): Buffer => ({
  id: buffers++,
  dtype: "f32",
  length,
  source: { kind: "temporary" },
});

/** Copies the beginning of one buffer to another. */
function copy(from: Buffer, to: Buffer): MapKernel {
  const index: Affine = { offset: 0, coefficients: [1] };
  const value = { kind: "load", dtype: "f32", buffer: from, index } as const;
  return { kind: "map", axes: [to.length], stores: [{ buffer: to, index, value }] };
}

function singles(kernels: readonly MapKernel[]): Single[] {
  return kernels.map((kernel, place) => ({ kind: "single", kernel, place }));
}

const sizesOf = (steps: readonly Step[]): number[] => steps.map((step) => kernelsOf(step).length);
const barriersIn = (steps: readonly Step[]): number => barriersBefore(steps, new Map()).filter(Boolean).length;

describe("small kernels", () => {
  test("that wait for each other are run by one thread, in their order", () => {
    const chain = Array.from({ length: 9 }, () => bufferOf(1000));
    const steps = singles(chain.slice(1).map((to, i) => copy(chain[i], to)));
    const joined = joinSmallKernels(steps);
    expect(sizesOf(joined)).toEqual([8]);
    expect(joined.flatMap(kernelsOf)).toEqual(steps.map(({ kernel }) => kernel));
    expect([barriersIn(steps), barriersIn(joined)]).toEqual([7, 0]);
  });

  test("stay apart where together they are much, and from large ones", () => {
    const [input, large] = [bufferOf(1e6), bufferOf(1e6)];
    const small = Array.from({ length: 30 }, () => bufferOf(60_000));
    const kernels = [...small.map((to) => copy(input, to)), copy(input, large), copy(large, bufferOf(10))];
    const joined = joinSmallKernels(singles(kernels));
    expect(joined.flatMap(kernelsOf)).toEqual(kernels);
    expect(Math.max(...sizesOf(joined))).toBe(1);
    expect(barriersIn(joined)).toBe(1);
  });

  test("that wait for each other end where one thread has done enough", () => {
    const chain = Array.from({ length: 21 }, () => bufferOf(60_000));
    const steps = singles(chain.slice(1).map((to, i) => copy(chain[i], to)));
    const joined = joinSmallKernels(steps);
    expect(Math.max(...sizesOf(joined))).toBeGreaterThan(2);
    expect(joined.length).toBeGreaterThan(2);
    for (const [i, step] of joined.entries()) {
      if (i === 0) continue;
      const before = new Set(kernelsOf(joined[i - 1]).flatMap(writesOf));
      expect(kernelsOf(step).some((kernel) => [...readsOf(kernel)].some((buffer) => before.has(buffer)))).toBe(true);
    }
  });
});
