import { DRAWER_CODE, DRAWER_NAMES, PICTURE_NAMES, importsOf, literalOf, pictureCode } from "../common/code.ts";
import type { PictureSource } from "../common/code.ts";
import { paintOptions, strengthOptions, walkOptions } from "./model.ts";
import type { PaintSettings, StrengthSettings } from "./model.ts";

const NAMES = ["saveGrid", ...DRAWER_NAMES.slice(1), ...PICTURE_NAMES];
/** As "picture" is shorter where its name is that of an option. */
const withFields = (options: object, fields: string): string => literalOf(options).replace("{", `{ ${fields},`);

export function strengthCode(source: PictureSource, settings: StrengthSettings): string {
  return `${importsOf(...NAMES)}
${DRAWER_CODE}
${pictureCode(source)}
const images = await diffusion.sample(model, ${withFields(strengthOptions(settings), "init: picture")});
await saveGrid("strength.png", images, { scale: 4 });
`;
}

export function betweenCode(from: number, to: number): string {
  return `${importsOf(...NAMES)}
${DRAWER_CODE}
${pictureCode({ garment: from }, "first")}${pictureCode({ garment: to }, "second")}
const images = await diffusion.interpolate(model, first, second, ${literalOf(walkOptions())});
await saveGrid("between.png", images, { columns: images.shape[0], scale: 4 });
`;
}

/** @param mask one byte for each pixel, 1 where to paint */
export function paintCode(source: PictureSource, mask: Uint8Array, settings: PaintSettings): string {
  const rows = Array.from({ length: 28 }, (_, y) => `  "${mask.subarray(28 * y, 28 * y + 28).join("")}",\n`).join("");
  return `${importsOf(...NAMES)}
${DRAWER_CODE}
${pictureCode(source)}
const rows = [
${rows}];
const mask = ndarray(Float32Array.from(rows.join(""), Number), [1, 28, 28, 1]);
const images = await diffusion.sample(model, ${withFields(paintOptions(settings), "image: picture, mask")});
await saveGrid("painted.png", images, { scale: 4 });
`;
}
