import { expect, test } from "vitest";
import { inputLeaves } from "../../../../test/backend/context.ts";
import { compileGraph } from "../../../compiler/compiler.ts";
import { measuredTarget } from "../../common/measured-target.ts";
import { writesOf } from "../../../compiler/accesses.ts";
import type { Buffer, Program } from "../../../compiler/program.ts";
import { conv2d } from "../../../tensor/functions/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { planSlots } from "./slots.ts";
import { emitKernel } from "../kernels/kernels.ts";
import { storageOf } from "./storage.ts";

const adapter = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  smallTiles: false,
};

function programOf(shapes: readonly (readonly number[])[], build: (...inputs: Tensor[]) => Tensor[]): Program {
  const inputs = inputLeaves(shapes.map((shape) => ({ shape, dtype: "f32" })));
  return compileGraph({ inputs, outputs: build(...inputs), updates: [] }, measuredTarget);
}

/** What the kernels of a program write, by kind, and whether as halves. */
function written(program: Program): [kind: string, isHalf: boolean][] {
  const storage = storageOf(program, "f16");
  return program.kernels.flatMap((kernel) =>
    writesOf(kernel).map((buffer): [string, boolean] => [kernel.kind, storage.isHalf(buffer)]),
  );
}

test("what products give and take is stored as halves, but not what a program takes and gives", () => {
  const program = programOf(
    [
      [2, 8, 8, 4],
      [3, 3, 4, 8],
      [3, 3, 8, 4],
    ],
    (x, first, second) => {
      const hidden = conv2d(x, first, { padding: 1 });
      // A sum over channels has to be stored before what follows from it.
      const scaled = hidden.divide(hidden.square().sum(-1, true).sqrt());
      return [conv2d(scaled.add(scaled.reverse([1])), second, { padding: 1 })];
    },
  );
  const kinds = written(program);
  expect(kinds[0]).toEqual(["convolution", true]);
  expect(kinds.at(-1)).toEqual(["convolution", false]);
  expect(kinds.filter(([kind]) => kind === "reduce")).not.toContainEqual(["reduce", true]);
  expect(storageOf(program, "f32").isHalf(writesOf(program.kernels[0])[0])).toBe(false);
});

test("what a reduction stores for each term is stored as halves where a product reads it, but not its results", () => {
  const program = programOf(
    [
      [128, 32, 64],
      [64, 16],
    ],
    (x, w) => {
      const terms = x.exp();
      const sums = terms.sum(1);
      return [terms.reshape([-1, 64]).matmul(w), sums.matmul(w)];
    },
  );
  const kinds = written(program).filter(([kind]) => kind === "reduce");
  expect(kinds).toHaveLength(2);
  expect(kinds).toContainEqual(["reduce", true]);
  expect(kinds).toContainEqual(["reduce", false]);
});

test("what is not written four at a time stays in words", () => {
  const program = programOf(
    [
      [2, 8, 8, 4],
      [3, 3, 4, 6],
      [3, 3, 6, 4],
    ],
    (x, first, second) => [conv2d(conv2d(x, first, { padding: 1 }), second, { padding: 1 })],
  );
  expect(written(program)).toEqual([
    ["convolution", false],
    ["convolution", false],
  ]);
});

test("halves take half of the memory", () => {
  const program = programOf(
    [
      [2, 8, 8, 4],
      [3, 3, 4, 8],
      [3, 3, 8, 4],
    ],
    (x, first, second) => [conv2d(conv2d(x, first, { padding: 1 }), second, { padding: 1 }).sum()],
  );
  const bytesOf = (precision: "f32" | "f16", buffer: Buffer): number => {
    const storage = storageOf(program, precision);
    const dispatches = program.kernels.map((kernel) => emitKernel(kernel, storage, adapter));
    const { placeOf, sizes } = planSlots(program, storage, dispatches);
    return sizes[placeOf.get(buffer)?.slot ?? -1];
  };
  const [hidden] = writesOf(program.kernels[0]);
  expect(bytesOf("f32", hidden)).toBe(4 * 2 * 8 * 8 * 8);
  expect(bytesOf("f16", hidden)).toBe(2 * 2 * 8 * 8 * 8);
});
