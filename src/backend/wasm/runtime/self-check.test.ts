import { describe, expect, test } from "vitest";
import { assemble } from "./assembler.ts";
import { microKernel } from "../kernels/micro-kernel.ts";
import { computesRightly, hasRelaxedSimd } from "./self-check.ts";
import * as platform from "./platform.node.ts";
import { WasmBackend } from "../wasm-backend.ts";

const features = { wide: false, relaxed: hasRelaxedSimd() };
const kernel = microKernel(4, 4, { accumulates: true, relaxed: features.relaxed });

describe("the self-check", () => {
  test("accepts the micro-kernel that programs use", async () => {
    expect(await computesRightly(assemble, features)).toBe(true);
  });

  test("refuses a kernel that stores one vector in another's place", async () => {
    const wrong = kernel.replace("(v128.store offset=48 (local.get $o2)", "(v128.store offset=32 (local.get $o2)");
    expect(wrong).not.toBe(kernel);
    expect(await computesRightly(assemble, features, () => wrong)).toBe(false);
  });

  test("refuses a kernel that drops one product", async () => {
    const wrong = kernel.replace(
      /\(f32x4\.relaxed_madd (\(local\.get \$x\)) (\(local\.get \$w3\))/,
      "(f32x4.relaxed_madd $1 (local.get $w2)",
    );
    expect(wrong).not.toBe(kernel);
    expect(await computesRightly(assemble, features, () => wrong)).toBe(false);
  });

  test("leaves 128 bits where the engine cannot merge", async () => {
    const backend = await WasmBackend.create({ ...platform, setRevectorize: () => false }, { threads: 1 });
    expect(backend.features.wide).toBe(false);
    expect(backend.description).toBe("WebAssembly, 1 thread, 128-bit SIMD");
    await backend.close();
  });
});
