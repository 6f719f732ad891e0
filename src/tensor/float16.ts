const scratch = new DataView(new ArrayBuffer(4));

/** The value of an IEEE 754 binary16 number given by its 16 bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The 16 bits of the binary16 number nearest to `value`, ties to even; too large becomes infinity. */
function numberToHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: 13 bits fall away, and the exponent bias goes from 127 to 15. A carry may reach infinity, rightly.
    const roundedUp = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return sign | ((roundedUp - (112 << 23)) >> 13);
  }
  // Subnormal: a multiple of 2^-24, which float64 arithmetic rounds to even by itself at 2^52.
  scratch.setUint32(0, magnitude);
  const steps = scratch.getFloat32(0) * 2 ** 24;
  return sign | (steps + 2 ** 52 - 2 ** 52);
}

/** The value of every binary16 number by its bits, made when it is first asked for. */
let halves: Float32Array | undefined;

/** Converts binary16 numbers, given as raw bits, to float32. Exact. */
export function decodeFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToNumber(half));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halves[bits[i]];
  return values;
}

/** Converts float32 to the raw bits of binary16: nearest, ties to even, beyond 65,504 infinity. */
export function encodeFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, numberToHalf);
}

/** Converts bfloat16 numbers, given as raw bits, to float32. Exact: bfloat16 is the upper half of a float32. */
export function decodeBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

/** Converts float32 to the raw bits of bfloat16: nearest, ties to even. NaN stays NaN. */
export function encodeBfloat16(values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, (word) => {
    if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}
