/** Of what size and with how many channels a reader's own picture is taken. */
export interface OwnFormat {
  readonly side: number;
  /** 1 gray, 3 colour. */
  readonly channels: 1 | 3;
}

export interface OwnPicture {
  readonly bytes: Uint8Array;
  readonly shape: readonly [1, number, number, number];
}

/**
 * The middle square of an image file, upright as its camera was held, and on white where it is transparent. It stays on the
 * reader's machine.
 *
 * @throws Error of one line for people, if it is none
 */
export async function ownPicture(file: Blob, { side, channels }: OwnFormat): Promise<OwnPicture> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new Error("This file is no image that the browser can read, or one too large for it.");
  });
  const cut = Math.min(bitmap.width, bitmap.height);
  const context = new OffscreenCanvas(side, side).getContext("2d");
  if (context === null) throw new Error("This browser cannot draw on canvases outside of the page.");
  context.fillStyle = "white";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - cut) / 2, (bitmap.height - cut) / 2, cut, cut, 0, 0, side, side);
  bitmap.close();
  const { data } = context.getImageData(0, 0, side, side);
  const bytes = Uint8Array.from({ length: side * side * channels }, (_, i) => {
    if (channels === 3) return data[4 * Math.floor(i / 3) + (i % 3)];
    // As BT.601 weighs the colours.
    return Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]);
  });
  return { bytes, shape: [1, side, side, channels] };
}
