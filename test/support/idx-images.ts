/** Gray ramps, another in each image, as an IDX file of bytes with three axes. */
export function idxImages(count: number, size: number): Uint8Array {
  const file = Buffer.alloc(16 + count * size * size);
  [0x803, count, size, size].forEach((word, i) => file.writeUInt32BE(word, 4 * i));
  for (let i = 16; i < file.length; i++) file[i] = ((i % size) * 30 + Math.floor(i / 64) * 3) % 256;
  return file;
}
