import type { ImageBatch } from "../io/pixels.ts";

/**
 * Mirrors images left to right, in place.
 *
 * @param images NHWC, bytes or floats.
 * @param chosen Says by index which images to mirror; all by default.
 */
export function flipHorizontally(
  images: ImageBatch<Uint8Array | Float32Array>,
  chosen: (image: number) => boolean = () => true,
): void {
  const { data, shape } = images;
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 4 || data.length !== count * height * width * channels) {
    throw new Error(`flipHorizontally: images of shape [${shape.join(", ")}] do not have ${data.length} values`);
  }
  const rowLength = width * channels;
  for (let image = 0; image < count; image++) {
    if (!chosen(image)) continue;
    for (let row = image * height; row < (image + 1) * height; row++) {
      mirrorRow(data.subarray(row * rowLength, (row + 1) * rowLength), channels);
    }
  }
}

function mirrorRow(row: Uint8Array | Float32Array, channels: number): void {
  for (let left = 0, right = row.length - channels; left < right; left += channels, right -= channels) {
    for (let channel = 0; channel < channels; channel++) {
      const value = row[left + channel];
      row[left + channel] = row[right + channel];
      row[right + channel] = value;
    }
  }
}
