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

/** What may be faster than the tile by size: more or less per invocation, and in workgroup memory at a time. */
const ALTERNATIVES: readonly Tile[] = [
  { rows: 128, columns: 128, inner: 8, rowsEach: 16 },
  { rows: 128, columns: 64, inner: 32, rowsEach: 8 },
  { rows: 128, columns: 64, inner: 8, rowsEach: 8 },
  { rows: 64, columns: 64, inner: 16, rowsEach: 4 },
  { rows: 64, columns: 64, inner: 16, rowsEach: 8 },
  { rows: 32, columns: 64, inner: 32, rowsEach: 4 },
  { rows: 128, columns: 32, inner: 16, rowsEach: 8 },
  { rows: 64, columns: 32, inner: 32, rowsEach: 4 },
  { rows: 32, columns: 32, inner: 32, rowsEach: 4 },
  { rows: 128, columns: 16, inner: 16, rowsEach: 4 },
  { rows: 32, columns: 16, inner: 32, rowsEach: 2 },
];

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

/** The tile by size, and others that the adapter takes and that are not far larger than the product. */
export function candidateTiles(
  size: Pick<ProductSize, "rows" | "columns">,
  adapter: Pick<AdapterTraits, "smallTiles" | "maxComputeInvocationsPerWorkgroup" | "maxComputeWorkgroupStorageSize">,
): Tile[] {
  const first = chooseTile(size, adapter);
  if (adapter.smallTiles) return [first];
  const others = ALTERNATIVES.filter(
    (tile) =>
      nameOfTile(tile) !== nameOfTile(first) &&
      tile.rows < 2 * size.rows &&
      (tile.columns < 2 * size.columns || tile.columns === first.columns) &&
      invocationsOf(tile) <= adapter.maxComputeInvocationsPerWorkgroup &&
      workgroupBytesOf(tile) <= adapter.maxComputeWorkgroupStorageSize,
  );
  return [first, ...others];
}

/** "128x64x16/8": rows, columns, the inner dimension, and rows of an invocation. */
export function nameOfTile({ rows, columns, inner, rowsEach }: Tile): string {
  return `${rows}x${columns}x${inner}/${rowsEach}`;
}

export function invocationsOf({ rows, columns, rowsEach }: Tile): number {
  return (columns / 4) * (rows / rowsEach);
}

function workgroupBytesOf({ rows, columns, inner }: Tile): number {
  return 4 * (rows * inner + inner * columns);
}

function powerOfTwoFrom(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
