/** The longest side of a picture, in pixels, where a format has a limit: those of libjpeg, libwebp and GIF. */
const formats: Readonly<Record<string, { readonly name: string; readonly longest: number }>> = {
  ".jpg": { name: "JPEG", longest: 65_500 },
  ".jpeg": { name: "JPEG", longest: 65_500 },
  ".webp": { name: "WebP", longest: 16_383 },
  ".gif": { name: "GIF", longest: 65_535 },
};
/** Pixels of a picture that sharp takes. */
const MOST_PIXELS = 0x3fff * 0x3fff;
/** Pixels of all frames of an animation, which are in memory together. */
const MOST_ANIMATED = 2 ** 30;

/**
 * @param ending of the file's name, such as ".png"
 * @param frames of an animation
 * @throws Error of one line if a picture of this size cannot be written
 */
export function checkPictureSize(
  path: string,
  ending: string,
  { width, height, frames }: { readonly width: number; readonly height: number; readonly frames?: number },
): void {
  const format = formats[ending.toLowerCase()];
  const size = `${width} x ${height}`;
  if (format !== undefined && Math.max(width, height) > format.longest) {
    throw new Error(`${path}: a ${format.name} has at most ${format.longest} pixels a side, this one would be ${size}`);
  }
  const pixels = width * height * (frames ?? 1);
  const most = frames === undefined ? MOST_PIXELS : MOST_ANIMATED;
  if (pixels <= most) return;
  const what = frames === undefined ? size : `${frames} frames of ${size}`;
  throw new Error(`${path}: at most ${most} pixels are written at once, this would be ${what}`);
}
