export const precisions = ["f32", "f16"] as const;

/**
 * What a device computes in: `f16` is mixed precision, products of halves added up in float32, with their factors and
 * results stored as halves; all else stays float32.
 */
export type Precision = (typeof precisions)[number];

/**
 * @param reason why it is this device
 * @throws Error of one line if a device that has only single precision is to compute in another
 */
export function requireSingle(precision: Precision, device: "reference" | "wasm", reason?: string): void {
  if (precision === "f32") return;
  const because = reason === undefined ? "" : ` (${reason})`;
  throw new Error(`precision ${precision} takes the device webgpu, got ${device}${because}`);
}
