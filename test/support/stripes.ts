import { memoryDataset } from "../../src/data/dataset.ts";
import type { ImageDataset } from "../../src/data/dataset.ts";

/** Height and width of the images. */
export const SIDE = 4;

/** Images that are bright at the top (class 0), at the bottom (1), or at the left (2), each a little different. */
export function stripes(): ImageDataset {
  const isBright = [
    (row: number, _column: number) => row < 2,
    (row: number, _column: number) => row >= 2,
    (_row: number, column: number) => column < 2,
  ];
  const labels = Array.from({ length: 96 }, (_, i) => i % 3);
  const images = Uint8Array.from({ length: labels.length * SIDE * SIDE }, (_, at) => {
    const [image, pixel] = [Math.floor(at / SIDE ** 2), at % SIDE ** 2];
    const bright = isBright[labels[image]](Math.floor(pixel / SIDE), pixel % SIDE);
    return (bright ? 215 : 0) + ((image * 7 + pixel * 13) % 40);
  });
  const classNames = ["top", "bottom", "left"];
  return memoryDataset({ name: "stripes", images, shape: [labels.length, SIDE, SIDE, 1], labels, classNames });
}

/** Which half of an image is brightest, as a class. */
function classOf(image: Float32Array): number {
  const mean = (isIn: (row: number, column: number) => boolean) =>
    image.reduce((sum, x, i) => sum + (isIn(Math.floor(i / SIDE), i % SIDE) ? x : -x), 0);
  const scores = [mean((row) => row < 2), mean((row) => row >= 2), mean((_, column) => column < 2)];
  return scores.indexOf(Math.max(...scores));
}

/** The classes that images show. */
export function classesOf(images: Float32Array): number[] {
  return Array.from({ length: images.length / SIDE ** 2 }, (_, i) =>
    classOf(images.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2)),
  );
}

/** How many classes are those that were asked for. */
export function hits(found: readonly number[], asked: readonly number[]): number {
  return found.filter((label, i) => label === asked[i]).length;
}
