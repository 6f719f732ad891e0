import { describe, expect, test } from "vitest";
import { compileGraph } from "../compiler/compiler.ts";
import { measuredTarget } from "../backend/common/measured-target.ts";
import { conv2d } from "../tensor/functions/functions.ts";
import { grad } from "../tensor/autodiff/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { Tensor } from "../tensor/tensor.ts";
import { groupByKind, kindsOf, profileKernels } from "./profile.ts";
import { profileReport, ratesOf } from "./report.ts";

const x = new Tensor({ kind: "input", index: 0, shape: [2, 6, 6, 3], dtype: "f32" });
const w1 = new Tensor({ kind: "input", index: 1, shape: [3, 3, 3, 4], dtype: "f32" });
const w2 = new Tensor({ kind: "input", index: 2, shape: [3, 3, 4, 5], dtype: "f32" });
const y = conv2d(conv2d(x, w1, { padding: 1 }), w2, { padding: 1 });
const inputs = [x, w1, w2];
const gradients = compileGraph({ inputs, outputs: grad(y.multiply(y).sum(), inputs), updates: [] }, measuredTarget);

test("convolutions are told apart by what they compute", () => {
  const kinds = kindsOf(gradients.kernels, 2).filter((kind) => kind.startsWith("convolution"));
  expect(kinds.toSorted()).toEqual([
    "convolution",
    "convolution",
    "convolution by filter",
    "convolution by filter",
    "convolution by input",
    "convolution by input",
  ]);
  expect(kinds.slice(0, 2)).toEqual(["convolution", "convolution"]);
});

/** An executable whose clock ticks as it is told. */
function clocked(...runs: (readonly number[])[]): Parameters<typeof profileKernels>[0] {
  let run = 0;
  return {
    program: gradients,
    workspaceBytes: 0,
    heldBytes: 0,
    run: () => Promise.resolve([]),
    dispose: () => {},
    profile: () => {
      const seconds = runs[run++];
      return Promise.resolve(
        gradients.kernels.map((kernel, i) => ({ name: `$${kernel.kind}_${i}`, seconds: seconds[i] })),
      );
    },
  };
}

describe("a profile", () => {
  const ramp = (factor: number): number[] => gradients.kernels.map((_, i) => factor * (i + 1));

  test("takes each kernel's median over the rounds", async () => {
    const executable = clocked(ramp(1), ramp(50), ramp(2));
    const kernels = await profileKernels(executable, [ndarray([0], [])], { rounds: 3, forwardContractions: 2 });
    expect(kernels.map(({ seconds }) => seconds)).toEqual(ramp(2));
    expect(kernels[1].name).toBe(`$${gradients.kernels[1].kind}_1`);
  });

  test("sums up by kind, the slowest first, and shares add up to all", async () => {
    const kernels = await profileKernels(clocked(ramp(1)), [], { rounds: 1, forwardContractions: 2 });
    const kinds = groupByKind(kernels);
    const times = kinds.map(({ seconds }) => seconds);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(kinds.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(kinds.reduce((sum, { count }) => sum + count, 0)).toBe(kernels.length);
    const flops = 2 * (2 * 36) * 9 * (3 * 4 + 4 * 5);
    expect(kinds.find(({ kind }) => kind === "convolution by filter")?.flops).toBe(flops);
  });

  test("lists as many of the slowest kernels as are asked for", async () => {
    const kernels = await profileKernels(clocked(ramp(1)), [], { rounds: 1, forwardContractions: 2 });
    const report = profileReport({ name: "step", peak: 1e9, kernels }, 2);
    expect(report.kernels.map(({ index }) => index)).toEqual([kernels.length - 1, kernels.length - 2]);
  });
});

test("rates are per second, and of the peak", () => {
  expect(ratesOf({ seconds: 0.5, flops: 100, bytes: 40 }, 400)).toEqual({
    flopsPerSecond: 200,
    shareOfPeak: 0.5,
    bytesPerSecond: 80,
  });
  const nothing = { flopsPerSecond: null, shareOfPeak: null, bytesPerSecond: null };
  expect(ratesOf({ seconds: 0, flops: 100, bytes: 40 }, 400)).toEqual(nothing);
});
