import type { TypedArray } from "../../tensor/dtype.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { ExchangeValues } from "../backend.ts";

/** @throws Error of one line if one is not f32 */
export function checkSingles(variables: readonly Variable[]): void {
  const other = variables.find(({ dtype }) => dtype !== "f32");
  if (other) throw new Error(`exchange: variable ${other.name} must be f32, got ${other.dtype}`);
}

/** Exchange for a device whose memory the host cannot see: the values go to and fro as one block. */
export async function exchangeCopies(
  variables: readonly Variable[],
  read: () => Promise<readonly TypedArray[]>,
  write: (values: readonly Float32Array<ArrayBuffer>[]) => Promise<unknown>,
  change: ExchangeValues,
): Promise<void> {
  const block = new Float32Array(variables.reduce((sum, { size }) => sum + size, 0));
  let end = 0;
  const parts = (await read()).map((values) => {
    const part = block.subarray(end, (end += values.length));
    part.set(values);
    return part;
  });
  await change([block]);
  await write(parts);
}
