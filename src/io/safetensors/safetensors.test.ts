import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeFloat16, encodeFloat16 } from "../../tensor/float16.ts";
import { parseSafetensors, serializeSafetensors, toFloat32 } from "./safetensors.ts";
import type { SafeTensor } from "./safetensors.ts";

const fixtures = new URL("../../../test/fixtures/", import.meta.url);
const load = (name: string) => new Uint8Array(readFileSync(new URL(name, fixtures)));

interface Verdicts {
  readonly rows: readonly { readonly name: string; readonly refusal: string | null; readonly file: string }[];
}
const verdicts = JSON.parse(readFileSync(new URL("safetensors/verdicts.json", fixtures), "utf8")) as Verdicts;

/** Files that the reference implementation accepts and the format forbids. */
const stricter = new Set([
  "header starts with a space",
  "tensor an array",
  "duplicate tensor",
  "duplicate tensor, one name escaped",
  "duplicate tensor, other range",
  "duplicate metadata key",
]);

function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

describe("every file is judged as the reference implementation judges it", () => {
  test.each(verdicts.rows)("$name", ({ name, refusal, file }) => {
    const bytes = new Uint8Array(Buffer.from(file, "base64"));
    if (refusal === null && !stricter.has(name)) {
      const { tensors } = parseSafetensors(bytes);
      for (const { data } of tensors.values()) expect(data.byteLength).toBeLessThanOrEqual(bytes.length);
    } else {
      expect(() => parseSafetensors(bytes, "bad.safetensors")).toThrow(/^bad\.safetensors: (damaged|not a) [^\n]+$/);
    }
  });
});

describe("hostile headers", () => {
  const megabytes = (pattern: string, count: number) => pattern.repeat((count * 1_000_000) / pattern.length);

  test.each([
    ["deep nesting", `{"a":${megabytes("[", 10)}`, "expected {"],
    ["deep nesting of an unknown field", `{"a":{"b":${megabytes('{"c":', 10)}`, "more than 128 levels"],
    ["a long shape", `{"a":{"shape":[${megabytes("1,", 10)}1]}}`, "more than 1000 axes"],
    ["long offsets", `{"a":{"data_offsets":[${megabytes("1,", 10)}1]}}`, "more than two offsets"],
    ["a long number", `{"a":{"shape":[${megabytes("1", 10)}]}}`, "expected a whole number"],
    ["a long number with a fraction", `{"a":{"shape":[${megabytes("1", 10)}.5]}}`, "expected a whole number"],
    ["a long name without an end", `{"${megabytes("a", 10)}`, "expected a string"],
    ["a long run of backslashes", `{"${megabytes("\\", 10)}`, "expected a string"],
    ["a long dtype", `{"a":{"dtype":"${megabytes("a", 10)}"}}`, "unknown dtype"],
    ["a million keys", `{"__metadata__":{${Array.from({ length: 1_000_001 }, (_, i) => `"${i}":""`).join()}}}`, "keys"],
  ])("%s ends in one short line", (_, header, message) => {
    let text = "";
    try {
      parseSafetensors(file(header));
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text).toContain(message);
    expect(text.length).toBeLessThan(300);
  });

  test("padding of 100 MB is read, one byte more is refused", () => {
    const bytes = new Uint8Array(8 + 100_000_001).fill(0x20);
    bytes.set([0x7b, 0x7d], 8);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, 100_000_000n, true);
    expect(parseSafetensors(bytes.subarray(0, 8 + 100_000_000)).tensors.size).toBe(0);
    view.setBigUint64(0, 100_000_001n, true);
    expect(() => parseSafetensors(bytes)).toThrow("at most 100000000");
  });

  test("no change of a single header byte makes a tensor leave its file", () => {
    const good = load("safetensors/dtypes.safetensors");
    const headerEnd = 8 + Number(new DataView(good.buffer).getBigUint64(0, true));
    for (let at = 0; at < headerEnd; at++) {
      for (const change of [0x00, 0x22, 0x30, 0x39, 0x7d, 0xff]) {
        const bad = good.slice();
        bad[at] = change;
        let tensors: Iterable<SafeTensor> = [];
        try {
          tensors = parseSafetensors(bad, "bad").tensors.values();
        } catch (error) {
          expect((error as Error).message).toMatch(/^bad: (damaged|not a) /);
        }
        for (const { data } of tensors) expect(data.byteLength).toBeLessThanOrEqual(bad.length - headerEnd);
      }
    }
  });
});

describe("files of the reference implementation", () => {
  test("every dtype has the values that NumPy wrote", () => {
    const { tensors, metadata } = parseSafetensors(load("safetensors/dtypes.safetensors"));
    const content = Object.fromEntries(
      Array.from(tensors, ([name, { dtype, shape, data }]) => [
        name,
        [dtype, shape, Array.from<number | bigint>(data)],
      ]),
    );
    expect(content).toEqual({
      U8: ["U8", [1, 3], [0, 1, 255]],
      I8: ["I8", [3], [-128, 0, 127]],
      I16: ["I16", [2], [-32768, 32767]],
      U16: ["U16", [2], [0, 65535]],
      F16: ["F16", [3], [0x3800, 0xc000, 0x7bff]],
      BF16: ["BF16", [2], [0x3f80, 0xc000]],
      I32: ["I32", [2], [-(2 ** 31), 2 ** 31 - 1]],
      U32: ["U32", [2], [0, 2 ** 32 - 1]],
      F32: ["F32", [2, 2], [Math.fround(0.1), Math.fround(-1e30), 1.5, 3]],
      F64: ["F64", [], [0.1]],
      I64: ["I64", [2], [-(2n ** 63n), 2n ** 63n - 1n]],
      U64: ["U64", [2], [0n, 2n ** 64n - 1n]],
      C64: ["C64", [1], [1, 2]],
      BOOL: ["BOOL", [3], [1, 0, 1]],
      F8_E4M3: ["F8_E4M3", [3], [1, 2, 3]],
      F8_E5M2: ["F8_E5M2", [3], [4, 5, 6]],
    });
    expect(metadata).toEqual({ "written by": "safetensors 0.8.0" });
  });

  test.each(["dtypes", "names", "halves"])("%s.safetensors is written again byte for byte", (name) => {
    const bytes = load(`safetensors/${name}.safetensors`);
    const { tensors, metadata } = parseSafetensors(bytes);
    const reversed = new Map([...tensors].toReversed());
    expect(serializeSafetensors(reversed, metadata)).toEqual(bytes);
  });

  test("halves have NumPy's values, and floats round to NumPy's halves", () => {
    const { tensors } = parseSafetensors(load("safetensors/halves.safetensors"));
    const bits = (name: string) => tensors.get(name)!.data as Uint16Array;
    const floats = (name: string) => tensors.get(name)!.data as Float32Array;
    expect(decodeFloat16(bits("halves"))).toEqual(floats("values"));
    expect(toFloat32(tensors.get("halves")!)).toEqual(floats("values"));
    expect(encodeFloat16(floats("values"))).toEqual(bits("halves"));
    expect(encodeFloat16(floats("floats"))).toEqual(bits("rounded"));
  });

  test("not a number stays not a number", () => {
    expect(decodeFloat16(encodeFloat16(new Float32Array([NaN])))).toEqual(new Float32Array([NaN]));
  });

  test("all dtypes of numbers convert to float32", () => {
    const { tensors } = parseSafetensors(load("safetensors/dtypes.safetensors"));
    const converted = (name: string) => Array.from(toFloat32(tensors.get(name)!));
    expect(converted("BF16")).toEqual([1, -2]);
    expect(converted("F16")).toEqual([0.5, -2, 65504]);
    expect(converted("I64")).toEqual([-(2 ** 63), 2 ** 63]);
    expect(converted("F64")).toEqual([Math.fround(0.1)]);
    expect(converted("BOOL")).toEqual([1, 0, 1]);
    expect(() => toFloat32(tensors.get("C64")!)).toThrow("cannot convert C64 to float32");
  });

  test("an array at an odd address is copied, not refused", () => {
    const bytes = load("safetensors/dtypes.safetensors");
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    expect(parseSafetensors(shifted).tensors).toEqual(parseSafetensors(bytes).tensors);
  });
});

describe("weights of the article's PyTorch code", () => {
  test.each(["gray", "rgb-self-condition"])("%s has the parameter count that PyTorch reports", (name) => {
    const meta = JSON.parse(readFileSync(new URL(`parity/${name}/meta.json`, fixtures), "utf8")) as {
      parameters: number;
      "standardized.gradnorm": Record<string, number>;
    };
    const { tensors } = parseSafetensors(load(`parity/${name}/unet.safetensors`));
    let parameters = 0;
    for (const { data } of tensors.values()) parameters += data.length;
    expect(parameters).toBe(meta.parameters);
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(meta["standardized.gradnorm"]).toSorted());
  });

  test("convolutions have PyTorch's layout, and recorded batches the shape of the case", () => {
    const { tensors } = parseSafetensors(load("parity/gray/unet.safetensors"));
    expect(tensors.get("init_conv.weight")).toMatchObject({ dtype: "F32", shape: [8, 1, 1, 1] });
    expect(tensors.get("final_res_block.block1.proj.weight")?.shape).toEqual([8, 16, 3, 3]);
    const recorded = parseSafetensors(load("parity/gray/unet_io.safetensors")).tensors;
    expect(recorded.get("x_start")?.shape).toEqual([4, 1, 28, 28]);
    expect(recorded.get("t")).toMatchObject({ dtype: "I64", shape: [4] });
  });
});

describe("writing refuses what no reader would accept", () => {
  const one: SafeTensor = { dtype: "F32", shape: [1], data: new Float32Array(1) };
  test.each<[string, string, SafeTensor, string]>([
    ["a shape that does not fit", "a", { ...one, shape: [2] }, 'tensor "a": F32 of shape [2] does not fit 4 bytes'],
    ["a negative shape", "a", { ...one, shape: [-1, -1] }, "does not fit"],
    ["the wrong array", "a", { ...one, data: new Int32Array(1) } as unknown as SafeTensor, "F32 needs a Float32Array"],
    ["the name of the metadata", "__metadata__", one, "this name cannot be written"],
    ["half a character", "\ud800", one, "this name cannot be written"],
  ])("%s", (_, name, tensor, message) => {
    expect(() => serializeSafetensors(new Map([[name, tensor]]))).toThrow(message);
  });

  test("metadata that is not text", () => {
    const metadata = { step: 7 } as unknown as Record<string, string>;
    expect(() => serializeSafetensors(new Map(), metadata)).toThrow('metadata "step" must be a string, got number');
  });
});
