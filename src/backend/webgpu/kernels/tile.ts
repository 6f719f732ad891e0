import type { AdapterTraits, MatrixUnit } from "../emit/adapter.ts";
import type { ProductSize } from "./product-size.ts";

/** How a workgroup computes a rectangle of a product. All are powers of two; columns and inner multiples of 4. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** How much of the inner dimension is in workgroup memory at a time. */
  readonly inner: number;
  /** Rows that one invocation computes, of 4 columns each; with matrix units, that one subgroup computes, of all columns. */
  readonly rowsEach: number;
  /** What multiplies the matrices that the tile is made of, if the invocations themselves do not. */
  readonly unit?: MatrixUnit | undefined;
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

/** Subgroups of a workgroup that computes with matrix units. */
export const SUBGROUPS = 4;
/** Below, a tile of matrix units would be mostly empty. */
const FEWEST_UNIT_ROWS = 32;
const FEWEST_UNIT_COLUMNS = 9;

type Size = Pick<ProductSize, "rows" | "columns">;

/** A tile for matrix units where an adapter has them and the product is large enough, else one for invocations. */
export function chooseTile(
  size: Size,
  { smallTiles, matrixUnit }: Pick<AdapterTraits, "smallTiles" | "matrixUnit">,
): Tile {
  if (smallTiles) return SMALL_TILE;
  const isLarge = size.rows >= FEWEST_UNIT_ROWS && size.columns >= FEWEST_UNIT_COLUMNS;
  return matrixUnit && isLarge ? unitTile(size, matrixUnit) : tileBySize(size);
}

/** A tile of at most 256 invocations that wastes little of a product. */
function tileBySize({ rows, columns }: Size): Tile {
  const wide = columns > 32 ? 64 : columns > 16 ? 32 : 16;
  const rowsEach = rows >= 128 ? 8 : rows >= 32 ? 4 : 1;
  const most = (256 * 4 * rowsEach) / wide;
  const high = Math.min(128, most, powerOfTwoFrom(rows));
  return { rows: Math.max(4 * rowsEach, high), columns: wide, inner: 16, rowsEach };
}

/** The usual tile, and others that the adapter takes and that are not far larger than the product. */
export function candidateTiles(
  size: Size,
  adapter: Pick<
    AdapterTraits,
    "smallTiles" | "matrixUnit" | "maxComputeInvocationsPerWorkgroup" | "maxComputeWorkgroupStorageSize"
  >,
): Tile[] {
  const first = chooseTile(size, adapter);
  if (adapter.smallTiles) return [first];
  const others = [...(first.unit ? [tileBySize(size)] : []), ...ALTERNATIVES].filter(
    (tile) =>
      nameOfTile(tile) !== nameOfTile(first) &&
      tile.rows < 2 * size.rows &&
      (tile.columns < 2 * size.columns || tile.columns === first.columns) &&
      invocationsOf(tile) <= adapter.maxComputeInvocationsPerWorkgroup &&
      workgroupBytesOf(tile) <= adapter.maxComputeWorkgroupStorageSize,
  );
  return [first, ...others];
}

/** "128x64x16/8": rows, columns, the inner dimension, and rows of an invocation; "u128x32x32/32" for matrix units. */
export function nameOfTile({ rows, columns, inner, rowsEach, unit }: Tile): string {
  return `${unit ? "u" : ""}${rows}x${columns}x${inner}/${rowsEach}`;
}

export function invocationsOf({ rows, columns, rowsEach }: Tile): number {
  return (columns / 4) * (rows / rowsEach);
}

function workgroupBytesOf({ rows, columns, inner }: Tile): number {
  return 4 * (rows * inner + inner * columns);
}

/** 14 KiB of workgroup memory at most, with the results on their way out. */
function unitTile({ rows, columns }: Size, unit: MatrixUnit): Tile {
  const rowsEach = rows > 64 ? 32 : 16;
  return {
    rows: SUBGROUPS * rowsEach,
    columns: columns > 16 ? 32 : 16,
    inner: unit.component === "f16" ? 32 : 16,
    rowsEach,
    unit,
  };
}

function powerOfTwoFrom(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
