/** One picture: rows from the top, channels (1 gray, 3 RGB) of a pixel side by side. */
export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** A batch of images, NHWC. */
export interface ImageBatch<Data> {
  readonly data: Data;
  /** [images, height, width, channels] */
  readonly shape: readonly number[];
}

/** As PyTorch computes it in float32: first to [0, 1], then to [-1, 1]. */
const unitOfByte = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte / 255) * 2 - 1);

/** Maps bytes to floats in [-1, 1]: 0 to -1, 255 to 1. */
export function fromBytes(bytes: Uint8Array, out?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer>;
export function fromBytes(bytes: Uint8Array, out: Float32Array): Float32Array;
export function fromBytes(bytes: Uint8Array, out: Float32Array = new Float32Array(bytes.length)): Float32Array {
  checkLength("fromBytes", bytes.length, out.length);
  bytes.forEach((byte, index) => (out[index] = unitOfByte[byte]));
  return out;
}

/**
 * Maps floats in [-1, 1] to the nearest bytes. Values outside are clipped, as a model's last step does not stay inside;
 * not a number becomes 0.
 */
export function toBytes(floats: Float32Array, out: Uint8Array = new Uint8Array(floats.length)): Uint8Array {
  checkLength("toBytes", floats.length, out.length);
  floats.forEach((value, index) => {
    out[index] = Math.min(Math.max((value + 1) * 127.5 + 0.5, 0), 255);
  });
  return out;
}

/** Copies a picture with every pixel as a square of `scale` by `scale` pixels. */
export function enlarge(picture: Picture, scale: number): Picture {
  const { width, height, channels } = picture;
  if (!Number.isInteger(scale) || scale < 1) throw new Error(`enlarge: scale must be a positive integer, got ${scale}`);
  if (scale === 1) return picture;
  const rowBytes = width * scale * channels;
  const data = new Uint8Array(rowBytes * height * scale);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * scale * rowBytes, (y * scale + 1) * rowBytes);
    for (let x = 0; x < width; x++) {
      const pixel = picture.data.subarray((y * width + x) * channels, (y * width + x + 1) * channels);
      for (let copy = 0; copy < scale; copy++) row.set(pixel, (x * scale + copy) * channels);
    }
    for (let copy = 1; copy < scale; copy++) data.set(row, (y * scale + copy) * rowBytes);
  }
  return { data, width: width * scale, height: height * scale, channels };
}

function checkLength(name: string, input: number, output: number): void {
  if (input !== output) throw new Error(`${name}: ${input} values do not fit an output of ${output}`);
}
