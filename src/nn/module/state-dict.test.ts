import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeFloat16 } from "../../tensor/float16.ts";
import { parseSafetensors, serializeSafetensors } from "../../io/safetensors/safetensors.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import { readSafetensors, writeSafetensors } from "../../io/safetensors/safetensors.node.ts";
import { Random, randn, withoutWeights } from "../init.ts";
import { Linear } from "../linear.ts";

const linear = (seed: number) => new Linear(2, 3, { random: new Random(seed) });

describe("weights and files", () => {
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "unnoise-state-"))));
  afterAll(() => rm(folder, { recursive: true }));

  test("pass from stateDict to writeSafetensors, and from readSafetensors to loadStateDict", async () => {
    const path = join(folder, "linear.safetensors");
    const [a, b, c] = [linear(1), linear(2), linear(3)];
    await writeSafetensors(path, await a.stateDict());
    await b.loadStateDict(await readSafetensors(path), path);
    expect(await b.stateDict()).toEqual(await a.stateDict());
    await c.loadStateDict((await readSafetensors(path)).tensors);
    expect(await c.stateDict()).toEqual(await a.stateDict());
  });

  test.each(["F16", "BF16", "F64"] as const)("may be %s in a file", async (dtype) => {
    const arrays = {
      F16: (data: Float32Array) => encodeFloat16(data),
      BF16: (data: Float32Array) => Uint16Array.from(new Uint32Array(Float32Array.from(data).buffer), (x) => x >>> 16),
      F64: (data: Float32Array) => Float64Array.from(data),
    };
    const values = { weight: Float32Array.of(1, -2, 0.5, 4, 8, -0.25), bias: Float32Array.of(1, 2, 3) };
    const stored = { weight: [3, 2], bias: [3] } as const;
    const tensors = new Map(
      Object.entries(values).map(([name, data]) => {
        const shape = stored[name as keyof typeof stored];
        return [name, { dtype, shape, data: arrays[dtype](data) } as SafeTensor];
      }),
    );
    const module = linear(1);
    await module.loadStateDict(parseSafetensors(serializeSafetensors(tensors)));
    expect((await module.stateDict()).get("weight")?.data).toEqual(values.weight);
  });

  test.each(["module.", "ema_model.", "model.net."])("name a prefix that all names share: %s", async (prefix) => {
    const state = new Map([...(await linear(1).stateDict())].map(([name, value]) => [prefix + name, value]));
    await expect(linear(2).loadStateDict(state, "file")).rejects.toThrow(
      `file: all names begin with ${prefix} which those of the parameters do not: take it away`,
    );
  });

  test("are refused by their names where only some have a prefix", async () => {
    const [weight, bias] = [...(await linear(1).stateDict()).values()];
    const state = new Map([
      ["module.weight", weight],
      ["bias", bias],
    ]);
    await expect(linear(2).loadStateDict(state)).rejects.toThrow("missing weight; unexpected module.weight");
  });

  test("of whole numbers are none for parameters of floats", async () => {
    const tensors = new Map<string, SafeTensor>([
      ["weight", { dtype: "I64", shape: [3, 2], data: new BigInt64Array(6) }],
      ["bias", { dtype: "F32", shape: [3], data: new Float32Array(3) }],
    ]);
    await expect(linear(1).loadStateDict(tensors)).rejects.toThrow("weight must be f32 [3,2], got I64 [3,2]");
  });
});

test("a network without weights has shapes, and takes no memory for its values", async () => {
  const huge = withoutWeights(() => new Linear(1 << 20, 1 << 20));
  expect(huge.parameterCount()).toBe(2 ** 40 + 2 ** 20);
  const small = withoutWeights(() => linear(1));
  expect((await small.stateDict()).get("weight")?.data).toEqual(new Float32Array(6));
  expect((await linear(1).stateDict()).get("weight")?.data).not.toEqual(new Float32Array(6));
});

test("standard normal numbers follow from a seed", () => {
  const data = Array.from(randn([100, 100], 3).data);
  expect(Array.from(randn([100, 100], 3).data)).toEqual(data);
  expect(Array.from(randn([100, 100], 4).data)).not.toEqual(data);
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
  expect(Math.abs(mean)).toBeLessThan(0.04);
  expect(Math.abs(variance - 1)).toBeLessThan(0.06);
});
