/** Pixels in one side of a reader's own picture. */
const SIDE = 96;

export interface OwnPicture {
  readonly bytes: Uint8Array;
  readonly shape: readonly [1, number, number, number];
}

/** The middle square of an image file, 96 x 96 pixels in colour. It stays on the reader's machine. */
export async function ownPicture(file: Blob): Promise<OwnPicture> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This file is no image that the browser can read.");
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot draw on canvases outside of the page.");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return { bytes: Uint8Array.from(data.filter((_, i) => i % 4 !== 3)), shape: [1, SIDE, SIDE, 3] };
}
