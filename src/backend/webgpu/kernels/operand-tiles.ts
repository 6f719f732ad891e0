import type { ProductSize } from "./product-size.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import type { TileFormat } from "./tile-format.ts";
import type { Tile } from "./tile.ts";

/** Batches of matrix products, whose operands and results are anything that can be indexed. */
export interface MatrixProduct extends ProductSize {
  readonly name: string;
  /** Whether the left operand comes in fours along its rows, which are neighbours in memory, or along the inner dimension. */
  readonly lhsAlongRows: boolean;
  /** Writes a function's body: of i32 batch, row and inner, four numbers from there on, with 0 beyond the end. */
  readonly lhs: () => void;
  /** The same of batch, inner and column: four columns. */
  readonly rhs: () => void;
  /** Whether `store` takes four columns at once. */
  readonly storesVectors: boolean;
  /** Writes the body of a function of i32 batch, row and column, and the product there. */
  readonly store: () => void;
}

/** The rectangle that a workgroup computes. */
export interface Place {
  readonly batch: Code;
  /** Its first row and column. */
  readonly tileRow: Code;
  readonly tileColumn: Code;
}

/**
 * Where a workgroup's rectangle is.
 *
 * @returns it, and how many workgroups there are
 */
export function emitPlace(
  shader: ShaderWriter,
  { batches, rows, columns }: MatrixProduct,
  tile: Tile,
): { readonly place: Place; readonly workgroups: number } {
  const rowTiles = Math.ceil(rows / tile.rows);
  const columnTiles = Math.ceil(columns / tile.columns);
  const tileColumn = columnTiles === 1 ? "0" : shader.bind("tile_column", `group % ${columnTiles} * ${tile.columns}`);
  const rowTile = columnTiles === 1 ? "group" : `group / ${columnTiles}`;
  const tileRow = rowTiles === 1 ? "0" : shader.bind("tile_row", `${rowTile} % ${rowTiles} * ${tile.rows}`);
  const batch = batches === 1 ? "0" : shader.bind("batch", `group / ${columnTiles * rowTiles}`);
  return { place: { batch, tileRow, tileColumn }, workgroups: batches * rowTiles * columnTiles };
}

/** The tiles in workgroup memory, and how to get at operands and results. */
export function emitOperands(shader: ShaderWriter, product: MatrixProduct, tile: Tile, format: TileFormat): void {
  const { type, perFour } = format;
  shader.shared("lhs_tile", type, (tile.rows * tile.inner * perFour) / 4);
  shader.shared("rhs_tile", type, (tile.inner * tile.columns * perFour) / 4);
  shader.function("lhs(batch: i32, row: i32, inner: i32) -> vec4<f32>", product.lhs);
  shader.function("rhs(batch: i32, inner: i32, column: i32) -> vec4<f32>", product.rhs);
  const stored = product.storesVectors ? "vec4<f32>" : "f32";
  shader.function(`store(batch: i32, row: i32, column: i32, product: ${stored})`, product.store);
}

/**
 * Every invocation brings its share of both tiles; neighbours bring what lies next to each other in memory. The left tile
 * lies row by row, or inner by inner where it comes in fours along its rows; the right one inner by inner.
 *
 * @param size invocations of the workgroup
 */
export function emitLoads(
  shader: ShaderWriter,
  { lhsAlongRows }: MatrixProduct,
  tile: Tile,
  format: TileFormat,
  { batch, tileRow, tileColumn }: Place,
  size: number,
): void {
  const across = tile.columns / 4;
  const each = (count: number, body: () => void): void =>
    shader.block(`for (var unit = local; unit < ${count}; unit += ${size})`, body);
  each((tile.rows * tile.inner) / 4, () => {
    const run = (lhsAlongRows ? tile.rows : tile.inner) / 4;
    const [along, beside] = [`unit % ${run} * 4`, `unit / ${run}`];
    const [row, inner] = lhsAlongRows ? [along, beside] : [beside, along];
    format.write(shader, "lhs_tile", "unit", `lhs(${batch}, ${plus(tileRow, row)}, start + ${inner})`);
  });
  each(tile.inner * across, () => {
    const column = plus(tileColumn, `unit % ${across} * 4`);
    format.write(shader, "rhs_tile", "unit", `rhs(${batch}, start + unit / ${across}, ${column})`);
  });
}

export function plus(a: Code, b: Code): Code {
  return a === "0" ? b : `${a} + ${b}`;
}

/** Returns four elements along an axis of some size, from the index `name` on, with 0 beyond the end. */
export function returnFour(shader: ShaderWriter, size: number, name: Code, element: (i: Code) => Code): void {
  shader.line("var four = vec4<f32>();");
  shader.block(`for (var i = 0; i < min(4, ${size} - ${name}); i++)`, () => shader.line(`four[i] = ${element("i")};`));
  shader.line("return four;");
}
