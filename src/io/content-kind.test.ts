import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { contentKind } from "./content-kind.ts";
import { parseSafetensors } from "./safetensors/safetensors.ts";

const text = (content: string) => new TextEncoder().encode(content);
const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url)));

/** The first local header of a zip archive with one name. */
function zip(name: string): Uint8Array {
  const header = new Uint8Array(30);
  header.set([0x50, 0x4b, 3, 4]);
  header[26] = name.length;
  return Uint8Array.of(...header, ...text(name), ...new Uint8Array(40));
}

const noTime = gzipSync(new Uint8Array(2_000_000).map((_, i) => i * 7 + (i >> 8) * 13));

const given: Record<string, [Uint8Array, string]> = {
  "a git-lfs pointer": [
    text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258da\n"),
    "a pointer of git-lfs: `git lfs pull` brings the file",
  ],
  "a sign-in page": [
    text("\n<!DOCTYPE html>\n<html><title>Sign in</title></html>"),
    "a web page: the download brought a page in place of the file",
  ],
  "a page in lower case with a byte order mark": [text("\uFEFF<html lang=en>"), "a web page: the download brought"],
  "a PyTorch file": [zip("archive/data.pkl"), "a PyTorch file: `unnoise import` makes a checkpoint of it"],
  "a PyTorch file with another name inside": [zip("model-10/data.pkl"), "a PyTorch file: `unnoise import`"],
  "another zip": [zip("weights/readme.txt"), "a zip archive: unpack it first"],
  "an npz": [zip("arr_0.npy"), "a NumPy archive"],
  "an old PyTorch file": [
    Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e),
    "a PyTorch file: `unnoise import` makes a checkpoint of it",
  ],
  "a pickle": [Uint8Array.of(0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x94, 0x2e), "a pickle of Python"],
  gzip: [gzipSync(text("abc".repeat(100))), "a gzip archive: unpack it first"],
  "gzip whose first bytes read as a length that would do": [noTime, "a gzip archive: unpack it first"],
  JSON: [text('{\n  "model": {"dim": 16}\n}'), "a JSON file"],
  "JSON, a list": [text("[1, 2, 3, 4, 5]"), "a JSON file"],
  "JSON, empty": [text("{}"), "a JSON file"],
  YAML: [text("model:\n  dim: 16\n"), "a text file"],
  nothing: [new Uint8Array(), "an empty file"],
  "a file that was never filled": [new Uint8Array(100_000), "nothing but zeros"],
  "a picture": [fixture("images/gray.png"), "a PNG image"],
  "a photograph": [fixture("images/turned.jpg"), "a JPEG image"],
};

describe("what is no safetensors file is called what it is", () => {
  test.each(Object.entries(given))("%s", (_, [bytes, name]) => {
    expect(() => parseSafetensors(bytes, "model")).toThrow(`model: not a safetensors file, but ${name}`);
  });

  test("and noise is called nothing", () => {
    expect(contentKind(Uint8Array.of(0x9b, 3, 0xe1, 0, 7, 1, 2, 3))).toBeUndefined();
    const noise = Uint8Array.of(3, 3, 0xe1, 0, 7, 1, 2, 3, 0, 1);
    expect(() => parseSafetensors(noise, "x")).toThrow("x: not a safetensors file: a header of ");
  });
});

test("drawings are no pictures, and neither are pages that begin as XML", () => {
  expect(contentKind(text('<?xml version="1.0"?>\n<!-- a --><svg xmlns="http://www.w3.org/2000/svg"/>'))?.name).toBe(
    "an SVG drawing",
  );
  expect(contentKind(text('<?xml version="1.0"?><feed/>'))?.name).toBe("an XML file");
});
