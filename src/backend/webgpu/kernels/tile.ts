import type { AdapterTraits, MatrixUnit } from "../emit/adapter.ts";
import type { ProductSize } from "./product-size.ts";

/** How a workgroup computes a rectangle of a product. All are powers of two; columns and inner multiples of 4. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** How much of the inner dimension is in workgroup memory at a time. */
  readonly inner: number;
  /** Rows and columns that one invocation computes, or one subgroup with matrix units; columns are multiples of 4. */
  readonly rowsEach: number;
  readonly columnsEach: number;
  /** What multiplies the matrices that the tile is made of, if the invocations themselves do not. */
  readonly unit?: MatrixUnit | undefined;
}

const tile = (rows: number, columns: number, inner: number, rowsEach: number, columnsEach: number): Tile => ({
  rows,
  columns,
  inner,
  rowsEach,
  columnsEach,
});

const SMALL_TILE = tile(16, 16, 8, 1, 4);

/** What may be faster than the tile by size: more or less per invocation, and in workgroup memory at a time. */
const ALTERNATIVES: readonly Tile[] = [
  tile(128, 64, 16, 8, 4),
  tile(128, 128, 8, 8, 8),
  tile(64, 128, 16, 8, 8),
  tile(128, 64, 8, 8, 8),
  tile(64, 64, 16, 8, 4),
  tile(64, 64, 16, 8, 8),
  tile(32, 64, 32, 4, 4),
  tile(128, 32, 16, 8, 4),
  tile(64, 32, 32, 4, 4),
  tile(32, 32, 32, 4, 4),
  tile(32, 16, 32, 2, 4),
];

/** Below, a tile of matrix units would be mostly empty. */
const FEWEST_UNIT_ROWS = 32;
const FEWEST_UNIT_COLUMNS = 9;

/** Workgroups that keep a large GPU busy: an H100 has 132 processors. */
export const ENOUGH_WORKGROUPS = 128;

export type TileTraits = Pick<AdapterTraits, "smallTiles" | "matrixUnit">;

/** The largest tile that makes enough workgroups, or the smallest. */
export function chooseTile(size: ProductSize, traits: TileTraits): Tile {
  const tiles = tilesFor(size, traits);
  return tiles.find((each) => workgroupsOf(size, each) >= ENOUGH_WORKGROUPS) ?? tiles[tiles.length - 1];
}

/** Tiles that fit a product, the largest first: for matrix units where an adapter has them and the product is large enough. */
export function tilesFor(size: ProductSize, { smallTiles, matrixUnit }: TileTraits): readonly Tile[] {
  if (smallTiles) return [SMALL_TILE];
  const isLarge = size.rows >= FEWEST_UNIT_ROWS && size.columns >= FEWEST_UNIT_COLUMNS;
  return matrixUnit && isLarge ? unitTiles(size, matrixUnit) : invocationTiles(size);
}

function invocationTiles({ rows, columns, inner }: ProductSize): Tile[] {
  const depth = inner <= 8 ? 8 : 16;
  if (rows < 32) {
    const wide = columns > 32 ? 64 : columns > 16 ? 32 : 16;
    return [tile(Math.max(4, Math.min(powerOfTwoFrom(rows), 1024 / wide)), wide, depth, 1, 4)];
  }
  if (columns > 32)
    return [...(rows > 64 ? [tile(128, 64, depth, 8, 8)] : []), tile(64, 64, depth, 8, 4), tile(32, 64, depth, 4, 4)];
  if (columns > 16)
    return [...(rows > 64 ? [tile(128, 32, depth, 8, 4)] : []), tile(64, 32, depth, 4, 4), tile(32, 32, depth, 4, 4)];
  return [...(rows > 64 ? [tile(128, 16, depth, 4, 4)] : []), tile(64, 16, depth, 4, 4), tile(32, 16, depth, 2, 4)];
}

/**
 * Of four subgroups each. 64x64 sums of a subgroup of 32 are 128 registers of each invocation, which NVIDIA's
 * have; other units are of GPUs with fewer.
 */
function unitTiles({ rows, columns }: ProductSize, unit: MatrixUnit): Tile[] {
  const of = (tileRows: number, tileColumns: number, rowsEach: number, columnsEach: number): Tile => ({
    ...tile(tileRows, tileColumns, 16, rowsEach, columnsEach),
    unit,
  });
  if (columns <= 16) return rows > 64 ? [of(128, 16, 32, 16), of(64, 16, 16, 16)] : [of(64, 16, 16, 16)];
  if (columns <= 32)
    return rows > 64 && unit.component === "f16" ? [of(128, 32, 32, 32), of(64, 32, 16, 32)] : [of(64, 32, 16, 32)];
  const usual = of(64, 64, 32, 32);
  if (rows <= 64 || unit.component === "f32" || unit.subgroupSize < 32) return [usual];
  // Of wide products no more than a quarter of the columns lies beyond the end.
  return columns % 128 === 0 || columns >= 384 ? [of(128, 128, 64, 64), usual] : [of(128, 64, 64, 32), usual];
}

/** The usual tile, and others that the adapter takes and that are not far larger than the product. */
export function candidateTiles(
  size: ProductSize,
  adapter: TileTraits & Pick<AdapterTraits, "maxComputeInvocationsPerWorkgroup" | "maxComputeWorkgroupStorageSize">,
): Tile[] {
  const first = chooseTile(size, adapter);
  if (adapter.smallTiles) return [first];
  const others = [...(first.unit ? invocationTiles(size) : []), ...ALTERNATIVES].filter(
    (each) =>
      each.rows < 2 * size.rows &&
      (each.columns < 2 * size.columns || each.columns === first.columns) &&
      invocationsOf(each) <= adapter.maxComputeInvocationsPerWorkgroup &&
      workgroupBytesOf(each) <= adapter.maxComputeWorkgroupStorageSize,
  );
  return [...new Map([first, ...others].map((each) => [nameOfTile(each), each])).values()];
}

/** "128x64x16/8x8": rows, columns, the inner dimension, and what an invocation computes; "u128x64x16/64x32" for matrix units. */
export function nameOfTile({ rows, columns, inner, rowsEach, columnsEach, unit }: Tile): string {
  return `${unit ? "u" : ""}${rows}x${columns}x${inner}/${rowsEach}x${columnsEach}`;
}

export function workgroupsOf({ batches, rows, columns }: ProductSize, { rows: high, columns: wide }: Tile): number {
  return batches * Math.ceil(rows / high) * Math.ceil(columns / wide);
}

export function invocationsOf({ rows, columns, rowsEach, columnsEach, unit }: Tile): number {
  return (columns / columnsEach) * (rows / rowsEach) * (unit?.subgroupSize ?? 1);
}

/**
 * Vectors of four in workgroup memory from one row of the left operand to the next, or from one place along the inner
 * dimension where it lies so. 16 bytes more than the numbers take let rows that are read at once lie in different banks.
 */
export function lhsStride({ rows, inner, unit }: Tile, alongRows: boolean): number {
  return alongRows ? rows / 4 + paddingOf(unit) : inner / 4 + (paddingOf(unit) || 1);
}

/** The same from one place along the inner dimension to the next of the right operand. */
export function rhsStride({ columns, unit }: Tile): number {
  return columns / 4 + paddingOf(unit);
}

/** Matrix units read rows as they lie; invocations read neighbours of one row at once. */
function paddingOf(unit: MatrixUnit | undefined): number {
  return unit === undefined ? 0 : unit.component === "f16" ? 2 : 1;
}

/** However the left operand lies. */
export function workgroupBytesOf(each: Tile): number {
  const lhs = Math.max(each.rows * lhsStride(each, false), each.inner * lhsStride(each, true));
  const results = each.unit
    ? 4 * (invocationsOf(each) / each.unit.subgroupSize) * each.unit.rows * each.unit.columns
    : 0;
  return (lhs + each.inner * rhsStride(each)) * (each.unit?.component === "f16" ? 8 : 16) + results;
}

function powerOfTwoFrom(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
