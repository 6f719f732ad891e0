/** Pixels in one side of a garment, and in one of a small garment, which the page's own network learns from. */
export const SIDE = 28;
export const SMALL_SIDE = SIDE / 2;

/** How many of the first test images the page has. */
export const GARMENTS = 64;

/** Garments of half the side: every pixel is the rounded mean of four. */
export function halved(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes.length / 4 }, (_, i) => {
    const [image, y, x] = [Math.floor(i / SMALL_SIDE ** 2), Math.floor(i / SMALL_SIDE) % SMALL_SIDE, i % SMALL_SIDE];
    const first = image * SIDE ** 2 + 2 * y * SIDE + 2 * x;
    return Math.round((bytes[first] + bytes[first + 1] + bytes[first + SIDE] + bytes[first + SIDE + 1]) / 4);
  });
}
