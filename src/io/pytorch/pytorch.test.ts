import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toFloat32 } from "../safetensors/safetensors.ts";
import { parsePytorch } from "./state-dict.ts";
import { crc32 } from "./zip.ts";

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../test/fixtures/pytorch/${name}`, import.meta.url)));
const expected = JSON.parse(new TextDecoder().decode(fixture("expected.json"))) as {
  readonly kinds: Readonly<Record<string, readonly number[]>>;
};

describe("what torch.save wrote is read", () => {
  test.each(["kinds.pt", "kinds-protocol-4.pt"])("%s: every dtype and every way to lie in memory", (name) => {
    const { tensors } = parsePytorch(fixture(name), name);
    expect([...tensors.keys()]).toEqual(Object.keys(expected.kinds).map((kind) => `kinds.${kind}`));
    for (const [kind, values] of Object.entries(expected.kinds)) {
      const tensor = tensors.get(`kinds.${kind}`);
      expect(tensor && [...toFloat32(tensor)], kind).toEqual(values);
    }
    const shapes = ["f32", "scalar", "empty", "transposed", "channels_last", "sliced"].map((kind) => {
      return tensors.get(`kinds.${kind}`)?.shape;
    });
    expect(shapes).toEqual([[2, 3, 4], [], [0, 3], [6, 4], [1, 2, 3, 4], [5]]);
    expect(tensors.get("kinds.bf16")?.dtype).toBe("BF16");
    expect(tensors.get("kinds.i64")?.data).toEqual(BigInt64Array.of(-(2n ** 40n), 0n, 2n ** 40n));
  });

  test("numbers beside the tensors are kept, lists and text are passed over", () => {
    expect([...parsePytorch(fixture("kinds.pt")).numbers]).toEqual([
      ["step", 3],
      ["lr", 1e-3],
    ]);
  });

  test("wherever the file lies in a larger buffer", () => {
    const file = fixture("kinds.pt");
    for (const offset of [1, 3]) {
      const larger = new Uint8Array(file.length + offset);
      larger.set(file, offset);
      const { tensors } = parsePytorch(larger.subarray(offset));
      const tensor = tensors.get("kinds.f64");
      expect(tensor && [...toFloat32(tensor)]).toEqual(expected.kinds.f64);
    }
  });
});

describe("what asks for more than tensors is refused, and nothing of it is run", () => {
  test.each([
    ["attack.pt", /attack.pt: asks for "(posix|nt|os)\.system", which is not read from files; nothing of it was run\./],
    ["attack-protocol-4.pt", /asks for "(posix|nt|os)\.system"/],
    ["module.pt", /asks for "torch\.nn\.modules\.linear\.Linear".* torch\.save\(model\.state_dict\(\), path\)$/],
    ["legacy.pt", /legacy\.pt: was saved by PyTorch of before 1\.6: load it there and torch\.save it again$/],
    ["article.safetensors", /^article\.safetensors: not a PyTorch file$/],
  ])("%s", (name, message) => {
    expect(() => parsePytorch(fixture(name), name)).toThrow(message);
  });
});

/** A zip archive of stored files. */
function zip(files: Readonly<Record<string, Uint8Array>>, method = 0): Uint8Array {
  const names = Object.keys(files);
  const local: number[] = [];
  const central: number[] = [];
  const u16 = (value: number) => [value & 255, value >> 8];
  const u32 = (value: number) => [...u16(value & 0xffff), ...u16(value >>> 16)];
  for (const name of names) {
    const data = files[name];
    const about = [...u16(0), ...u16(method), ...u32(0), ...u32(crc32(data)), ...u32(data.length), ...u32(data.length)];
    const start = local.length;
    const encoded = new TextEncoder().encode(name);
    local.push(...u32(0x04034b50), ...u16(20), ...about, ...u16(encoded.length), ...u16(0), ...encoded);
    for (const byte of data) local.push(byte);
    central.push(...u32(0x02014b50), ...u16(20), ...u16(20), ...about, ...u16(encoded.length), ...u16(0), ...u16(0));
    central.push(...u16(0), ...u16(0), ...u32(0), ...u32(start), ...encoded);
  }
  const count = u16(names.length);
  const end = [
    ...u32(0x06054b50),
    ...u32(0),
    ...count,
    ...count,
    ...u32(central.length),
    ...u32(local.length),
    ...u16(0),
  ];
  return Uint8Array.from([local, central, end].flat());
}

const ascii = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));
/** PROTO 2 ... STOP */
const pickle = (...code: readonly number[]) => Uint8Array.of(0x80, 2, ...code, 0x2e);
const text = (content: string) => [0x58, content.length, 0, 0, 0, ...ascii(content)];
const global = (module: string, name: string) => [0x63, ...ascii(`${module}\n${name}\n`)];
const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
const int = (value: number) => [0x4a, ...u32(value)];
const tuple = (...items: readonly (readonly number[])[]) => [0x28, ...items.flat(), 0x74];

/** {"a": a tensor of a storage with four floats} */
function tensorPickle(offset: number, shape: readonly number[], strides: readonly number[], key = "0"): Uint8Array {
  const id = tuple(text("storage"), global("torch", "FloatStorage"), text(key), text("cpu"), int(4));
  const sizes = [shape, strides].map((list) => tuple(...list.map(int)));
  const args = tuple([...id, 0x51], int(offset), sizes[0], sizes[1], [0x89], tuple());
  return pickle(0x7d, ...text("a"), ...global("torch._utils", "_rebuild_tensor_v2"), ...args, 0x52, 0x73);
}

const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const read = (content: Uint8Array) => parsePytorch(zip({ "x/data.pkl": content, "x/data/0": floats }), "bad.pt");

describe("hostile and damaged files", () => {
  test("a tensor made by hand is read", () => {
    const tensor = read(tensorPickle(1, [3], [1])).tensors.get("a");
    expect(tensor && [...toFloat32(tensor)]).toEqual([2, 3, 4]);
  });

  const nested = (levels: number) =>
    Uint8Array.from({ length: 2 * levels + 2 }, (_, i) => {
      if (i < 2) return i === 0 ? 0x80 : 2;
      if (i < levels + 2) return 0x5d;
      return i < 2 * levels + 1 ? 0x61 : 0x2e;
    });
  const cycle = [0x7d, 0x71, 0, ...Array.from({ length: 200 }, (_, i) => [...text(`k${i}`), 0x68, 0, 0x73]).flat()];
  test.each([
    ["a tensor beyond its storage", tensorPickle(2, [3], [1]), 'tensor "a": reaches to element 4 of 4'],
    ["a tensor far beyond its storage", tensorPickle(2 ** 31 - 1, [1], [1]), "reaches to element 2147483647 of 4"],
    ["a tensor that repeats its storage", tensorPickle(0, [30_000, 30_000], [0, 0]), "many times as large as the file"],
    [
      "a shape whose size is no number",
      tensorPickle(0, Array<number>(9).fill(2 ** 31 - 1), Array<number>(9).fill(0)),
      "a shape that cannot be",
    ],
    ["negative strides", tensorPickle(3, [4], [-1]), "a tensor of nothing"],
    ["more axes than strides", tensorPickle(0, [1, 1], [1]), "a shape that cannot be"],
    ["a storage that is not there", tensorPickle(0, [1], [1], "7"), "no data/7"],
    ["a storage of another archive", tensorPickle(0, [1], [1], "../../x"), "no data/../../x"],
    ["text that goes on for 4 GB", pickle(0x58, 255, 255, 255, 255), "damaged pickle: it ends too early"],
    ["text of 2^64 bytes", pickle(0x8d, ...Array<number>(8).fill(255)), "damaged pickle: it ends too early"],
    ["a value that was never kept", pickle(0x6a, 255, 255, 255, 255), "nothing was kept as 4294967295"],
    ["a missing mark", pickle(0x74), "a mark is missing"],
    ["a missing value", pickle(0x87), "a value is missing"],
    ["no end", Uint8Array.of(0x80, 2, 0x4e), "damaged pickle: it ends too early"],
    ["an instruction that is not read", pickle(0x69), "an instruction that is not read, 0x69"],
    ["an object of a class", pickle(0x29, 0x29, 0x81), "an instruction that is not read, 0x81"],
    ["a call of text", pickle(...text("os.system"), 0x29, 0x52), "a call of nothing"],
    [
      "a call of a storage's class",
      pickle(...global("torch", "FloatStorage"), 0x29, 0x52),
      'asks for "torch.FloatStorage"',
    ],
    [
      "a global of an object's own",
      pickle(...global("__builtin__", "constructor"), 0x29, 0x52),
      'asks for "__builtin__.constructor"',
    ],
    ["300,000 lists inside each other", nested(300_000), "must hold a dictionary of tensors, got a list"],
    ["a dictionary inside itself", pickle(...cycle), "more entries than any file has"],
    ["a number alone", pickle(0x4b, 1), "must hold a dictionary of tensors, got a number"],
  ])("%s", (_, content, message) => {
    const file = zip({ "x/data.pkl": content, "x/data/0": floats });
    const start = performance.now();
    expect(() => parsePytorch(file, "bad.pt")).toThrow(message);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(() => parsePytorch(file, "bad.pt")).toThrow(/^bad\.pt: [^\n]+$/);
  });

  test("archives that are compressed, incomplete or changed", () => {
    const whole = zip({ "x/data.pkl": tensorPickle(0, [1], [1]), "x/data/0": floats });
    const changed = whole.slice();
    changed[60] ^= 1;
    for (const [bytes, message] of [
      [zip({ "x/data.pkl": pickle(0x7d) }, 8), "bad.pt: x/data.pkl is compressed, which torch.save does not do"],
      [whole.subarray(0, -30), "bad.pt: damaged zip archive: its end is missing, as after a download that was cut off"],
      [changed, "damaged zip archive: the checksum of x/data.pkl does not fit its content"],
      [zip({ "x/readme": floats }), "bad.pt: not a PyTorch file, but another zip archive: it has no data.pkl"],
      [new TextEncoder().encode("<!doctype html>"), "bad.pt: not a PyTorch file, but a web page"],
    ] as const) {
      expect(() => parsePytorch(bytes, "bad.pt")).toThrow(message);
    }
  });

  test("cut or changed anywhere, a file is refused in one line or read", () => {
    const file = fixture("kinds.pt");
    for (let at = 0; at < file.length; at += 7) {
      const changed = file.slice();
      changed[at] ^= 1 << (at % 8);
      for (const bytes of [changed, file.subarray(0, at)]) {
        try {
          parsePytorch(bytes, "k");
        } catch (error) {
          expect((error as Error).message).toMatch(/^k: [^\n]+$/);
        }
      }
    }
  });

  test("a pickle changed anywhere is refused in one line or read", () => {
    const content = tensorPickle(1, [3], [1]);
    for (let at = 0; at < content.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = content.slice();
        changed[at] ^= 1 << bit;
        try {
          read(changed);
        } catch (error) {
          expect((error as Error).message).toMatch(/^bad\.pt: [^\n]+$/);
        }
      }
    }
  });
});
