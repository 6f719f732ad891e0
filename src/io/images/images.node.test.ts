import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { saveAnimation } from "./animation.node.ts";
import { decodeImage, encodePng, imageSize, loadImage, saveGrid, savePicture } from "./images.node.ts";
import { fromBytes } from "./pixels.ts";
import type { Picture } from "./pixels.ts";

const fixture = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/images/${name}`, import.meta.url));
let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "unnoise-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("decoding", () => {
  const size = { width: 24, height: 16, channels: 3 };
  const pixel = (data: Uint8Array, x: number, y: number) => [...data.subarray((y * 24 + x) * 3, (y * 24 + x) * 3 + 3)];
  const corners = (data: Uint8Array) => [
    pixel(data, 2, 2),
    pixel(data, 21, 2),
    pixel(data, 2, 13),
    pixel(data, 21, 13),
  ];
  const quarters = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [255, 255, 255],
  ];

  test.each(["quarters.png", "quarters.webp"])("%s has its exact pixels at its own size", async (name) => {
    const data = await decodeImage(fixture(name), size);
    const exact = Array.from({ length: 16 * 24 }, (_, at) => quarters[(at < 8 * 24 ? 0 : 2) + (at % 24 < 12 ? 0 : 1)]);
    expect([...data]).toEqual(exact.flat());
  });

  test("a photograph on its side is turned upright", async () => {
    const turned = corners(await decodeImage(fixture("turned.jpg"), size));
    for (const [corner, colour] of quarters.entries()) {
      for (const [channel, value] of colour.entries()) {
        expect(Math.abs(turned[corner][channel] - value)).toBeLessThanOrEqual(3);
      }
    }
  });

  test("in one call it is a model's image, of its own size or another", async () => {
    const own = await loadImage(fixture("turned.jpg"));
    expect([own.shape, own.dtype]).toEqual([[1, 16, 24, 3], "f32"]);
    const bytes = await decodeImage(fixture("turned.jpg"), { width: 24, height: 16, channels: 3 });
    expect([...own.data]).toEqual([...fromBytes(bytes)]);
    expect((await loadImage(fixture("turned.jpg"), { width: 4, height: 6, channels: 1 })).shape).toEqual([1, 6, 4, 1]);
    await expect(loadImage(fixture("turned.jpg"), { width: 4 })).rejects.toThrow("both width and height or none");
  });

  test("its size is that of the upright image", async () => {
    expect(await imageSize(fixture("turned.jpg"))).toMatchObject({ width: 24, height: 16 });
    expect(await sharp(fixture("turned.jpg")).metadata()).toMatchObject({ width: 16, height: 24 });
    await expect(imageSize(fixture("none.png"))).rejects.toThrow(/none\.png: cannot read: no such file/);
    await expect(imageSize(fixture("text.png"))).rejects.toThrow(/text\.png: not an image, but a text file$/);
  });

  test("CMYK becomes RGB: the inks' colours are darker, and keep their strongest channel", async () => {
    const [red, green, blue, white] = corners(await decodeImage(fixture("cmyk.jpg"), size));
    expect([red, green, blue].map((colour) => colour.indexOf(Math.max(...colour)))).toEqual([0, 1, 2]);
    expect(Math.min(...white)).toBeGreaterThan(250);
  });

  test("the centre is kept when the shape differs", async () => {
    const tall = await decodeImage(fixture("quarters.png"), { width: 4, height: 16, channels: 3 });
    // The middle four columns: red and green above, blue and white below.
    expect([...tall.subarray(0, 12)]).toEqual([255, 0, 0, 255, 0, 0, 0, 255, 0, 0, 255, 0]);
    expect([...tall.subarray(-12)]).toEqual([0, 0, 255, 0, 0, 255, 255, 255, 255, 255, 255, 255]);
  });

  test("transparency becomes white", async () => {
    const data = await decodeImage(fixture("alpha.png"), { width: 8, height: 8, channels: 3 });
    expect([...data.subarray(0, 3), ...data.subarray(-3)]).toEqual([255, 0, 0, 255, 255, 255]);
  });

  test("a palette and 1-bit images are expanded", async () => {
    const palette = await decodeImage(fixture("palette.png"), { width: 8, height: 8, channels: 3 });
    expect([...palette.subarray(0, 3), ...palette.subarray(-3)]).toEqual([255, 0, 0, 0, 0, 0]);
    const bilevel = await decodeImage(fixture("bilevel.png"), { width: 16, height: 16, channels: 1 });
    expect([...bilevel.subarray(0, 16)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
  });

  test.each(["gray.png", "gray16.png"])("%s keeps its levels, as gray and as RGB", async (name) => {
    const levels = Array.from({ length: 16 }, (_, x) => x * 17);
    const gray = await decodeImage(fixture(name), { width: 16, height: 16, channels: 1 });
    expect([...gray.subarray(0, 16)]).toEqual(levels);
    const rgb = await decodeImage(fixture(name), { width: 16, height: 16, channels: 3 });
    expect([...rgb.subarray(0, 48)]).toEqual(levels.flatMap((level) => [level, level, level]));
  });

  test("gray of a colour is Pillow's", async () => {
    const pillow = JSON.parse(readFileSync(fixture("luma.json"), "utf8")) as { colours: number[][]; luma: number[] };
    const path = join(folder, "colours.png");
    const width = pillow.colours.length;
    await savePicture(path, { data: Uint8Array.from(pillow.colours.flat()), width, height: 1, channels: 3 });
    expect([...(await decodeImage(path, { width, height: 1, channels: 1 }))]).toEqual(pillow.luma);
  });

  test.each(["gif", "tiff", "avif", "webp", "jpeg"] as const)(
    "%s is told by its content, not its name",
    async (format) => {
      const path = join(folder, "picture.png");
      const red = sharp({ create: { width: 6, height: 4, channels: 3, background: "#ff0000" } });
      writeFileSync(path, await red.toFormat(format).toBuffer());
      const [r, g, b] = await decodeImage(path, { width: 2, height: 2, channels: 3 });
      expect([r > 240, g < 16, b < 16]).toEqual([true, true, true]);
      expect(await imageSize(path)).toMatchObject({ width: 6, height: 4 });
    },
  );

  test.each([
    ["an SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>', "not an image, but an SVG drawing"],
    [
      "an SVG with a comment of its own",
      `<!--${"x".repeat(600)}--><svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>`,
      "",
    ],
    ["a PDF", "%PDF-1.4\n", "not an image, but a PDF"],
    ["a page", "<!doctype html><html></html>", "not an image, but a web page: the download brought a page"],
    [
      "a pointer",
      "version https://git-lfs.github.com/spec/v1\n",
      "not an image, but a pointer of git-lfs: `git lfs pull`",
    ],
  ])("%s under the name of a PNG is refused", async (_, content, message) => {
    const path = join(folder, "drawing.png");
    writeFileSync(path, content);
    await expect(decodeImage(path, size)).rejects.toThrow(`${path}: ${message}`);
    await expect(imageSize(path)).rejects.toThrow(`${path}: ${message}`);
  });

  test.each([
    ["cut.png", /cut\.png: cannot decode this image: [^\n]+$/],
    ["cut.jpg", /cut\.jpg: cannot decode this image: [^\n]*premature end[^\n]*$/],
    ["text.png", /text\.png: not an image, but a text file$/],
    ["none.png", /none\.png: cannot read: no such file or directory$/],
  ])("%s gives one line that names it", async (name, message) => {
    await expect(decodeImage(fixture(name), size)).rejects.toThrow(message);
  });
});

describe("saving", () => {
  test.each([1, 3])("a PNG of %i channels keeps every byte and stays of %i channels", async (channels) => {
    const data = Uint8Array.from({ length: 16 * 16 * channels }, (_, index) => (index * 7) % 256);
    const png = await encodePng({ data, width: 16, height: 16, channels });
    expect((await sharp(png).metadata()).channels).toBe(channels);
    const back = await sharp(png)
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer();
    expect(new Uint8Array(back)).toEqual(data);
  });

  test("a grid is clipped, laid out and scaled", async () => {
    const path = join(folder, "grid.png");
    await saveGrid(
      path,
      { data: new Float32Array([-2, 0, 1, 3]), shape: [4, 1, 1, 1] },
      { columns: 2, padding: 0, scale: 3 },
    );
    const { data, info } = await sharp(path).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([6, 6, 1]);
    expect([data[0], data[2], data[3], data[35]]).toEqual([0, 0, 128, 255]);
  });

  test("what the name's ending says is what the file holds", async () => {
    const picture = { data: fromBytes(new Uint8Array(16 * 16)), shape: [1, 16, 16, 1] };
    for (const [ending, format] of Object.entries({ png: "png", jpg: "jpeg", JPEG: "jpeg", webp: "webp" })) {
      const path = join(folder, `a.${ending}`);
      await saveGrid(path, picture);
      expect((await sharp(path).metadata()).format).toBe(format);
    }
  });

  test("wrong names and pictures are refused and leave no file", async () => {
    const before = readdirSync(folder);
    const picture: Picture = { data: new Uint8Array(4), width: 2, height: 2, channels: 1 };
    const path = join(folder, "x.bmp");
    await expect(savePicture(path, picture)).rejects.toThrow(`${path}: an image's name must end in .png`);
    const missing = join(folder, "no/x.png");
    await expect(savePicture(missing, picture)).rejects.toThrow(`${missing}: cannot write: no such file or directory`);
    await expect(encodePng({ ...picture, width: 3 })).rejects.toThrow("4 bytes are not 3 x 2 pixels");
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe("animations", () => {
  const frames = (count: number, channels: number): Picture[] =>
    Array.from({ length: count }, (_, frame) => ({
      data: Uint8Array.from({ length: 20 * 10 * channels }, (_, index) => (index * 7 + frame * 5) % 256),
      width: 20,
      height: 10,
      channels,
    }));

  test.each([
    ["gif", 1, 1],
    ["webp", 1, 0],
    ["webp", 3, 0],
  ])("a %s of %i channels has its frames, delays, size and pixels", async (format, channels, error) => {
    const path = join(folder, `a${channels}.${format}`);
    const pictures = frames(12, channels);
    await saveAnimation(path, pictures, { delayMs: 50, lastDelayMs: 1000, scale: 3 });
    const metadata = await sharp(path, { animated: true }).metadata();
    expect(metadata).toMatchObject({ format, width: 60, pageHeight: 30, pages: 12, loop: 0 });
    expect(metadata.delay).toEqual([...Array<number>(11).fill(50), 1000]);
    for (const [page, picture] of pictures.entries()) {
      const shown = sharp(path, { page }).removeAlpha().toColourspace("srgb");
      const { data } = await shown.raw().toBuffer({ resolveWithObject: true });
      for (let at = 0; at < 200; at++) {
        const [x, y] = [at % 20, Math.floor(at / 20)];
        for (let channel = 0; channel < 3; channel++) {
          const value = data[((y * 3 + 1) * 60 + x * 3 + 1) * 3 + channel];
          const wanted = picture.data[at * channels + (channels === 3 ? channel : 0)];
          if (Math.abs(value - wanted) > error) expect(`frame ${page} (${x}, ${y}): ${value}`).toBe(wanted);
        }
      }
    }
  });

  test("a GIF keeps equal frames apart, in colour too", async () => {
    const path = join(folder, "same.gif");
    const [frame] = frames(1, 3);
    await saveAnimation(path, [frame, frame, frame]);
    const metadata = await sharp(path, { animated: true }).metadata();
    expect(metadata.pages).toBe(3);
    expect(metadata.delay).toEqual([100, 100, 1500]);
  });

  test.each<[string, Picture[], object, string]>([
    ["a.mp4", frames(2, 1), {}, "must end in .gif or .webp"],
    ["a.gif", [], {}, "at least one frame"],
    ["a.gif", [...frames(1, 1), ...frames(1, 3)], {}, "frame 1 is 20 x 10 x 3, the first is 20 x 10 x 1"],
    ["a.gif", frames(2, 1), { delayMs: 5 }, "must be 20 to 65535 whole milliseconds, got 5"],
    ["no/a.gif", frames(2, 1), {}, "cannot write: no such file or directory"],
  ])("%s is refused in one line that names it once (%#)", async (name, pictures, options, message) => {
    const path = join(folder, name);
    const error = await saveAnimation(path, pictures, options).catch((error: unknown) => error as Error);
    expect(error?.message.startsWith(`${path}: `) && error.message.includes(message)).toBe(true);
    expect(error?.message.split(path)).toHaveLength(2);
  });
});
