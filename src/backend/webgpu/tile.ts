import type { AdapterTraits } from "./shader.ts";
import type { ProductSize } from "./product-size.ts";

/** How a workgroup computes a rectangle of a product. All are powers of two; columns and inner multiples of 4. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** How much of the inner dimension is in workgroup memory at a time. */
  readonly inner: number;
  /** Rows that one invocation computes, of 4 columns each. */
  readonly rowsEach: number;
}

const SMALL_TILE: Tile = { rows: 16, columns: 16, inner: 8, rowsEach: 1 };

/** A tile of at most 256 invocations that wastes little of a product. */
export function chooseTile(
  { rows, columns }: Pick<ProductSize, "rows" | "columns">,
  { smallTiles }: Pick<AdapterTraits, "smallTiles">,
): Tile {
  if (smallTiles) return SMALL_TILE;
  const wide = columns > 32 ? 64 : columns > 16 ? 32 : 16;
  const rowsEach = rows >= 128 ? 8 : rows >= 32 ? 4 : 1;
  const most = (256 * 4 * rowsEach) / wide;
  const high = Math.min(128, most, powerOfTwoFrom(rows));
  return { rows: Math.max(4 * rowsEach, high), columns: wide, inner: 16, rowsEach };
}

function powerOfTwoFrom(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
