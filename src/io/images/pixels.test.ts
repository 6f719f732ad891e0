import { expect, test } from "vitest";
import { layoutGrid } from "./grid.ts";
import { enlarge, fromBytes, toBytes } from "./pixels.ts";

const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test("bytes become floats as in PyTorch, and come back", () => {
  const floats = fromBytes(allBytes);
  // torch.tensor([0, 1, 127, 128, 255]).float() / 255 * 2 - 1
  expect([0, 1, 127, 128, 255].map((byte) => floats[byte])).toEqual(
    [-1, -0.9921568632125854, -0.003921568393707275, 0.003921627998352051, 1].map(Math.fround),
  );
  expect(toBytes(floats)).toEqual(allBytes);
});

test("floats outside [-1, 1] are clipped, not wrapped", () => {
  const floats = new Float32Array([-Infinity, -1.5, -1, 0, 1, 1.01, 7, Infinity, NaN]);
  expect([...toBytes(floats)]).toEqual([0, 0, 0, 128, 255, 255, 255, 255, 0]);
});

test("floats round to the nearest byte", () => {
  const between = Float32Array.from([10.4, 10.6], (level) => level / 127.5 - 1);
  expect([...toBytes(between)]).toEqual([10, 11]);
});

test("an output of another length is refused", () => {
  expect(() => toBytes(new Float32Array(3), new Uint8Array(2))).toThrow("toBytes: 3 values do not fit an output of 2");
  expect(() => fromBytes(new Uint8Array(3), new Float32Array(4))).toThrow("fromBytes: 3 values");
});

test("enlarging makes squares of every pixel", () => {
  const picture = { data: new Uint8Array([1, 2, 3, 4]), width: 2, height: 2, channels: 1 };
  expect(enlarge(picture, 2)).toEqual({
    data: new Uint8Array([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]),
    width: 4,
    height: 4,
    channels: 1,
  });
  expect(() => enlarge(picture, 1.5)).toThrow("scale must be a positive integer, got 1.5");
});

test("a grid lies as torchvision's make_grid lays it", () => {
  // make_grid(torch.arange(1, 13).reshape(3, 1, 2, 2), nrow=2, padding=1)[0]
  const images = { data: Uint8Array.from({ length: 12 }, (_, index) => index + 1), shape: [3, 2, 2, 1] };
  const { data, width, height } = layoutGrid(images, { columns: 2, padding: 1 });
  expect([width, height]).toEqual([7, 7]);
  expect(Array.from({ length: 7 }, (_, row) => [...data.subarray(row * 7, row * 7 + 7)])).toEqual([
    [0, 0, 0, 0, 0, 0, 0],
    [0, 1, 2, 0, 5, 6, 0],
    [0, 3, 4, 0, 7, 8, 0],
    [0, 0, 0, 0, 0, 0, 0],
    [0, 9, 10, 0, 0, 0, 0],
    [0, 11, 12, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
  ]);
});

test("a grid of colour images that are not square keeps channels and sides apart", () => {
  const images = { data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), shape: [2, 1, 2, 3] };
  const grid = layoutGrid(images, { columns: 1, padding: 0, scale: 1 });
  expect(grid).toEqual({ data: images.data, width: 2, height: 2, channels: 3 });
});

test.each([
  [[2, 2, 2, 1], {}, "images of shape [2, 2, 2, 1] do not have 4 values"],
  [[2, 2], {}, "got [2, 2]"],
  [[1, 2, 1, 2], {}, "1 or 3 channels], got [1, 2, 1, 2]"],
  [[0, 2, 2, 1], {}, "at least 1"],
  [[1, 2, 2, 1], { columns: 0 }, "columns must be a positive integer, got 0"],
  [[1, 2, 2, 1], { padding: -1 }, "padding must be an integer that is not negative, got -1"],
])("a grid of %j with %j is refused", (shape, options, message) => {
  expect(() => layoutGrid({ data: new Uint8Array(4), shape }, options)).toThrow(message);
});
