import { afterAll, describe, expect, test } from "vitest";
import { Random } from "../../test/support/random.ts";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.node.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./float16.ts";
import type { StorageDtype } from "./half-storage.ts";
import { valueOf } from "./tensor.ts";
import { Variable } from "./variable.ts";

const backends = [ReferenceBackend.create(), await createWasmBackend({ threads: 2 })] as const;
const [, wasm] = backends;
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const values = Float32Array.from(new Random(1).array([6, 5, 3, 3]).data);
const codecs = [
  ["bf16", encodeBfloat16, decodeBfloat16, 2 ** -8],
  ["f16", encodeFloat16, decodeFloat16, 2 ** -11],
] as const;

describe.each(codecs)("a variable stored as %s", (storage, encode, decode, relative) => {
  const rounded = decode(encode(values));
  const made = () => new Variable("w", [6, 5, 3, 3], { data: values, storage });

  test("reads as the nearest values that there are, on the host and on a device", async () => {
    const variable = made();
    expect(await variable.read()).toEqual(rounded);
    rounded.forEach((value, i) =>
      expect(Math.abs(value - values[i])).toBeLessThanOrEqual(relative * Math.abs(values[i])),
    );
    const double = compile(wasm, () => ({ outputs: { y: valueOf(variable).multiply(2) } }));
    expect((await double()).y.data).toEqual(rounded.map((value) => 2 * value));
    expect(variable.isOnDevice).toBe(true);
    await variable.write(values.map((value) => -value));
    expect((await double()).y.data).toEqual(rounded.map((value) => -2 * value));
    variable.dispose();
    double.dispose();
  });

  test.each(backends)("is exactly those values in programs, whatever is done with them, on $name", async (backend) => {
    const variable = made();
    const run = compile(backend, () => {
      const w = valueOf(variable);
      return { outputs: { w, moved: w.transpose([2, 3, 1, 0]), row: w.slice(0, 2, 5).sum([1, 2]) } };
    });
    const plain = new Variable("w", [6, 5, 3, 3], { data: rounded });
    const expected = compile(backend, () => {
      const w = valueOf(plain);
      return { outputs: { w, moved: w.transpose([2, 3, 1, 0]), row: w.slice(0, 2, 5).sum([1, 2]) } };
    });
    const [ours, theirs] = [await run(), await expected()];
    for (const name of ["w", "moved", "row"] as const) expect(ours[name].data).toEqual(theirs[name].data);
    run.dispose();
    expected.dispose();
  });

  test("takes a file's bits as they are", async () => {
    const variable = new Variable("w", [6, 5, 3, 3], { storage });
    await variable.writeHalves(storage, encode(values));
    expect(await variable.read()).toEqual(rounded);
    const other = storage === "f16" ? "bf16" : "f16";
    await variable.writeHalves(other, other === "f16" ? encodeFloat16(values) : encodeBfloat16(values));
    expect(await variable.read()).not.toEqual(rounded);
  });

  test("is only read: a program that would update it is refused in one line", async () => {
    const variable = made();
    const update = compile(wasm, () => ({ outputs: {}, updates: [{ variable, value: valueOf(variable).add(1) }] }));
    await expect(update()).rejects.toThrow(`load: variable w is stored as ${storage}, which programs only read`);
  });
});

test("half of the memory is taken on a device, and nothing kept of it from run to run", async () => {
  const held = async (storage: StorageDtype): Promise<number> => {
    const data = new Float32Array(512 * 512).fill(1);
    const variable = new Variable("w", [512, 512], { data, storage });
    const linear = compile(wasm, ({ x }) => ({ outputs: { y: x.matmul(valueOf(variable).transpose()) } }));
    await linear.prepare({ x: { shape: [1, 512], dtype: "f32" } });
    const before = wasm.allocatedBytes;
    variable.dispose();
    linear.dispose();
    await (await wasm.load({ inputs: [], outputs: [], updates: [] })).run([]);
    return before - wasm.allocatedBytes;
  };
  const [single, half] = [await held("f32"), await held("bf16")];
  expect(single).toBeGreaterThanOrEqual(4 * 512 * 512);
  expect(half).toBeLessThan(0.55 * 4 * 512 * 512);
});

test("numbers that f16 cannot hold are refused, in one line that names the variable", async () => {
  const data = Float32Array.of(1, 2, 70_000, 4);
  expect(() => new Variable("w", [2, 2], { data, storage: "f16" })).toThrow(
    "variable w: f16 holds numbers up to 65504, got others: take bf16 or f32",
  );
  expect(await new Variable("w", [2, 2], { data, storage: "bf16" }).read()).toEqual(Float32Array.of(1, 2, 70_144, 4));
});

test("what has one axis, or no two halves, stays f32", () => {
  const storageOf = (...shape: number[]) => new Variable("w", shape, { storage: "bf16" }).storage;
  expect([storageOf(8), storageOf(3, 4), storageOf(4, 3)]).toEqual(["f32", "f32", "bf16"]);
});
