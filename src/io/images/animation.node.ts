import { extname } from "node:path";
import { writeFileAtomic } from "../atomic.node.ts";
import { errorLine } from "../file-errors.node.ts";
import { loadSharp } from "./images.node.ts";
import { checkPictureSize } from "./picture-limits.ts";
import { enlarge } from "./pixels.ts";
import type { Picture } from "./pixels.ts";
import { checkOptions } from "../../config/rules.ts";

export interface AnimationOptions {
  /** Milliseconds that a frame stays, 100 by default. At least 20, as viewers slow faster ones down; GIF rounds to 10. */
  readonly delayMs?: number | undefined;
  /** Milliseconds that the last frame stays before the animation starts again, 1500 by default. */
  readonly lastDelayMs?: number | undefined;
  /** Every pixel becomes a square of this side; 1 by default. */
  readonly scale?: number | undefined;
}

/**
 * Writes an endless animation as GIF or WebP (lossless), chosen by the ending of the name, whole or not at all. A GIF
 * keeps gray frames to within one level and shows colours with 256 of them per frame.
 *
 * @param frames Pictures of one size, 1 or 3 channels, for instance grids of images.
 * @throws Error of one line naming the file.
 */
export async function saveAnimation(
  path: string,
  frames: readonly Picture[],
  options: AnimationOptions = {},
): Promise<void> {
  checkOptions("saveAnimation", options, { delayMs: "number", lastDelayMs: "number", scale: "number" });
  const { delayMs = 100, lastDelayMs = 1500, scale = 1 } = options;
  const ending = extname(path).toLowerCase();
  if (ending !== ".gif" && ending !== ".webp")
    throw new Error(`${path}: an animation's name must end in .gif or .webp`);
  for (const delay of [delayMs, lastDelayMs]) {
    if (!Number.isInteger(delay) || delay < 20 || delay > 65535) {
      throw new Error(`${path}: a frame's delay must be 20 to 65535 whole milliseconds, got ${delay}`);
    }
  }
  const [first] = frames;
  if (first) {
    const size = { width: first.width * scale, height: first.height * scale, frames: frames.length };
    checkPictureSize(path, ending, size);
  }
  const strip = stackFrames(path, frames, scale);
  const delay = frames.map((_, index) => (index === frames.length - 1 ? lastDelayMs : delayMs));
  const sharp = await loadSharp();
  const { data, width, height, channels } = strip;
  const raw = { width, height, channels, pageHeight: height / frames.length };
  try {
    const image = sharp(data, { raw, limitInputPixels: false });
    const encoded =
      ending === ".gif"
        ? image.gif({ delay, loop: 0, dither: channels === 1 ? 0 : 1, keepDuplicateFrames: true })
        : image.webp({ delay, loop: 0, lossless: true });
    await writeFileAtomic(path, await encoded.toBuffer());
  } catch (error) {
    const line = errorLine(error);
    throw new Error(line.startsWith(`${path}: `) ? line : `${path}: cannot encode: ${line}`, { cause: error });
  }
}

/** sharp takes an animation as one tall picture. */
function stackFrames(path: string, frames: readonly Picture[], scale: number): Picture & { channels: 1 | 3 } {
  const [first] = frames;
  if (!first) throw new Error(`${path}: an animation needs at least one frame`);
  const { width, height, channels } = first;
  if (channels !== 1 && channels !== 3) throw new Error(`${path}: frames must have 1 or 3 channels, got ${channels}`);
  const frameBytes = width * height * channels * scale * scale;
  const data = new Uint8Array(frameBytes * frames.length);
  for (const [index, frame] of frames.entries()) {
    if (frame.width !== width || frame.height !== height || frame.channels !== channels) {
      throw new Error(
        `${path}: frame ${index} is ${frame.width} x ${frame.height} x ${frame.channels}, ` +
          `the first is ${width} x ${height} x ${channels}`,
      );
    }
    data.set(enlarge(frame, scale).data, index * frameBytes);
  }
  return { data, width: width * scale, height: height * scale * frames.length, channels };
}
