import { describe, expect, test } from "vitest";
import type { Body, Instruction, PlainInstruction } from "../assembly/instruction.ts";
import { emitMicroKernel } from "../kernels/micro-kernel.ts";
import type { MicroKernel } from "../kernels/micro-kernel.ts";
import { computesRightly, hasRelaxedSimd } from "./self-check.ts";
import * as platform from "./platform.node.ts";
import { WasmBackend } from "../wasm-backend.ts";

const features = { wide: false, relaxed: true };

/** The micro-kernel with one instruction changed: the first of those that `change` gives another for. */
function wrongKernel(
  change: (instruction: PlainInstruction<undefined>) => PlainInstruction<undefined> | undefined,
): MicroKernel {
  let changed = false;
  const rewriteBody = ({ instructions }: Body): Body => ({ instructions: instructions.map(rewrite) });
  const rewrite = (instruction: Instruction<undefined>): Instruction<undefined> => {
    if (instruction.kind === "loop") return { ...instruction, body: rewriteBody(instruction.body) };
    if (changed || instruction.kind !== "plain") return instruction;
    const other = change(instruction);
    changed = other !== undefined;
    return other ?? instruction;
  };
  const kernel = emitMicroKernel({ rows: 4, vectors: 4, accumulates: true }, features.relaxed);
  const wrong = { ...kernel, body: rewriteBody(kernel.body) };
  expect(changed).toBe(true);
  return wrong;
}

describe.runIf(hasRelaxedSimd())("the self-check", () => {
  test("accepts the micro-kernel that programs use", async () => {
    expect(await computesRightly(features)).toBe(true);
    expect(await computesRightly({ wide: false, relaxed: false })).toBe(true);
  });

  test("refuses a kernel that stores one vector in another's place", async () => {
    const wrong = wrongKernel((instruction) => {
      const [address] = instruction.immediates;
      if (instruction.form.name !== "v128.store" || address.kind !== "address" || address.offset !== 48)
        return undefined;
      return { ...instruction, immediates: [{ ...address, offset: 32 }] };
    });
    expect(await computesRightly(features, () => wrong)).toBe(false);
  });

  test("refuses a kernel that drops one product", async () => {
    const wrong = wrongKernel((instruction) => {
      const [product] = instruction.operands;
      if (typeof product !== "object" || product.kind !== "plain") return undefined;
      if (product.form.name !== "f32x4.relaxed_madd") return undefined;
      const [left, , sum] = product.operands;
      return { ...instruction, operands: [{ ...product, operands: [left, left, sum] }] };
    });
    expect(await computesRightly(features, () => wrong)).toBe(false);
  });

  test("leaves 128 bits where the engine cannot merge", async () => {
    const backend = await WasmBackend.create({ ...platform, setRevectorize: () => false }, { threads: 1 });
    expect(backend.features.wide).toBe(false);
    expect(backend.description).toBe("WebAssembly, 1 thread, 128-bit SIMD");
    await backend.close();
  });
});
