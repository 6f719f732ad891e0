import { describe, expect, test } from "vitest";
import { Unet } from "../../src/models/unet/unet.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { Tensor, valueOf } from "../../src/tensor/tensor.ts";
import { measuredTarget } from "../../src/backend/common/measured-target.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { readsOf, writesOf } from "../../src/compiler/accesses.ts";
import type { Buffer, Kernel } from "../../src/compiler/program.ts";
import { checkProgram } from "../../src/compiler/verify.ts";
import { stagePrelude } from "../../src/compiler/passes/prelude.ts";

function readBy(kernels: readonly Kernel[]): Set<Buffer> {
  return new Set(kernels.flatMap((kernel) => Array.from(readsOf(kernel))));
}

describe("a U-Net's kernels that depend on weights alone", () => {
  const model = new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
  const x = new Tensor({ kind: "input", index: 0, shape: [2, 8, 8, 1], dtype: "f32" });
  const t = new Tensor({ kind: "input", index: 1, shape: [2], dtype: "i32" });
  const y = model.forward(x, t);
  const weight = [...model.parameters().values()].find(({ shape }) => shape.length === 4);
  if (!weight) throw new Error("no convolution");
  const updates = [{ variable: weight, value: valueOf(weight).subtract(grad(y.sum(), [valueOf(weight)])[0]) }];

  test.each([
    ["a forward pass", { inputs: [x, t], outputs: [y], updates: [] }],
    ["a step that changes one of them", { inputs: [x, t], outputs: [y], updates }],
  ])("come first in %s, which is the same program", (_, graph) => {
    const program = compileGraph(graph, measuredTarget);
    const staged = stagePrelude(program);
    checkProgram(staged);
    expect(new Set(staged.kernels)).toEqual(new Set(program.kernels));
    const [prelude, rest] = [staged.kernels.slice(0, staged.preludeLength), staged.kernels.slice(staged.preludeLength)];
    expect(prelude.length).toBeGreaterThan(10);
    const changed = new Set(program.kernels.flatMap(writesOf).filter(({ source }) => source.kind === "variable"));
    expect(changed.size).toBe(graph.updates.length);
    const made = new Set(prelude.flatMap(writesOf));
    for (const buffer of readBy(prelude)) {
      expect(buffer.source.kind).not.toBe("input");
      expect(changed.has(buffer)).toBe(false);
      if (buffer.source.kind === "temporary") expect(made.has(buffer)).toBe(true);
    }
    for (const buffer of readBy(rest)) expect(staged.kept.has(buffer)).toBe(made.has(buffer));
  });

  test.each([0, 2000, 6000, 1e6])("are kept up to %i bytes; the others stay where they were", (mostBytes) => {
    const program = compileGraph({ inputs: [x, t], outputs: [y], updates: [] }, measuredTarget);
    const all = stagePrelude(program);
    const staged = stagePrelude(program, mostBytes);
    checkProgram(staged);
    expect(new Set(staged.kernels)).toEqual(new Set(program.kernels));
    const bytes = (kept: Iterable<Buffer>): number => [...kept].reduce((sum, { length }) => sum + 4 * length, 0);
    expect(bytes(staged.kept)).toBeLessThanOrEqual(mostBytes);
    expect(staged.preludeLength > 0).toBe(mostBytes > 0);
    expect(staged.preludeLength < all.preludeLength).toBe(bytes(all.kept) > mostBytes);
    const [prelude, rest] = [staged.kernels.slice(0, staged.preludeLength), staged.kernels.slice(staged.preludeLength)];
    const made = new Set(prelude.flatMap(writesOf));
    for (const buffer of readBy(rest)) expect(staged.kept.has(buffer)).toBe(made.has(buffer));
  });
});
