import { formatShape, sameShape } from "../../tensor/shape.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";

/** @throws unless this is a whole number from 1 to `most` */
export function checkedCount(name: string, value: number, most = Infinity): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  const range = most === Infinity ? "of at least 1" : `from 1 to ${most}`;
  throw new Error(`${name} must be a whole number ${range}, got ${value}`);
}

/** @throws one line that names the first value which is not a finite number */
export function checkFinite(name: string, { data }: NdArray): void {
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong !== -1) throw new Error(`${name} must hold finite numbers, got ${data[wrong]} at ${wrong}`);
}

/** @throws unless these are f32 images of a shape, all finite */
export function checkImages(name: string, images: NdArray, required: Shape): void {
  const { shape, dtype } = images;
  if (!sameShape(shape, required) || dtype !== "f32") {
    throw new Error(`${name} must be f32 ${formatShape(required)}, got ${dtype} ${formatShape(shape)}`);
  }
  checkFinite(name, images);
}
