/** What a user can ask for. */
export const precisions = ["f32", "strict", "f16"] as const;

/**
 * `f32` is single precision, `strict` too, but without algorithms that trade some of it for speed (Winograd's F(4x4, 3x3) on
 * the wasm backend, whose errors are 5 times those of F(2x2, 3x3)). `f16` is mixed precision, products of halves added up
 * in float32, with their factors and results stored as halves; all else stays float32.
 */
export type PrecisionOption = (typeof precisions)[number];

/** What a device computes in. */
export type Precision = Exclude<PrecisionOption, "strict">;

export function precisionOf(option: PrecisionOption | undefined): Precision {
  return option === "f16" ? "f16" : "f32";
}

/**
 * @param reason why it is this device
 * @throws Error of one line if a device that has only single precision is to compute in another
 */
export function requireSingle(precision: PrecisionOption, device: "reference" | "wasm", reason?: string): void {
  if (precisionOf(precision) === "f32") return;
  const because = reason === undefined ? "" : ` (${reason})`;
  throw new Error(`precision ${precision} takes the device webgpu, got ${device}${because}`);
}
