import type { ProductSize } from "./product-size.ts";
import type { Code, Dispatch, ShaderWriter } from "./shader.ts";
import { TILE_FORMATS } from "./tile-format.ts";
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

/**
 * A tiled product: a workgroup brings tiles of both operands into its own memory, as vectors of four, those of the
 * right operand along its columns, and every invocation keeps a block of sums in registers.
 */
export function emitProduct(shader: ShaderWriter, product: MatrixProduct, tile: Tile): Dispatch {
  const { batches, rows, columns, inner } = product;
  const across = tile.columns / 4;
  const down = tile.rows / tile.rowsEach;
  const size = across * down;
  const rowTiles = Math.ceil(rows / tile.rows);
  const columnTiles = Math.ceil(columns / tile.columns);
  emitOperands(shader, product, tile);

  const tileColumn = columnTiles === 1 ? "0" : shader.bind("tile_column", `group % ${columnTiles} * ${tile.columns}`);
  const rowTile = columnTiles === 1 ? "group" : `group / ${columnTiles}`;
  const tileRow = rowTiles === 1 ? "0" : shader.bind("tile_row", `${rowTile} % ${rowTiles} * ${tile.rows}`);
  const batch = batches === 1 ? "0" : shader.bind("batch", `group / ${columnTiles * rowTiles}`);
  shader.line(`let column = local % ${across};`);
  shader.line(`let row = local / ${across};`);
  const own = Array.from({ length: tile.rowsEach }, (_, i) => `sum${i}`);
  for (const sum of own) shader.line(`var ${sum} = vec4<f32>();`);
  shader.block(`for (var start = 0; start < ${inner}; start += ${tile.inner})`, () => {
    emitLoads(shader, product, tile, { size, batch, tileRow, tileColumn });
    shader.line("workgroupBarrier();");
    shader.block(`for (var k = 0; k < ${tile.inner / 4}; k++)`, () => emitSums(shader, product, tile, own));
    shader.line("workgroupBarrier();");
  });
  emitStores(shader, product, tile, { own, batch, tileRow, tileColumn });
  return shader.finish(product.name, size, batches * rowTiles * columnTiles);
}

function emitOperands(shader: ShaderWriter, product: MatrixProduct, tile: Tile): void {
  const { type: word } = TILE_FORMATS[shader.precision];
  shader.shared("lhs_tile", word, (tile.rows * tile.inner) / 4);
  shader.shared("rhs_tile", word, (tile.inner * tile.columns) / 4);
  shader.function("lhs(batch: i32, row: i32, inner: i32) -> vec4<f32>", product.lhs);
  shader.function("rhs(batch: i32, inner: i32, column: i32) -> vec4<f32>", product.rhs);
  const type = product.storesVectors ? "vec4<f32>" : "f32";
  shader.function(`store(batch: i32, row: i32, column: i32, product: ${type})`, product.store);
}

interface Place {
  readonly batch: Code;
  readonly tileRow: Code;
  readonly tileColumn: Code;
}

/** Every invocation brings its share of vectors; neighbours bring what lies next to each other in memory. */
function emitLoads(
  shader: ShaderWriter,
  { lhsAlongRows }: MatrixProduct,
  tile: Tile,
  { size, batch, tileRow, tileColumn }: Place & { readonly size: number },
): void {
  const across = tile.columns / 4;
  const { pack } = TILE_FORMATS[shader.precision];
  const each = (count: number, body: () => void): void =>
    shader.block(`for (var unit = local; unit < ${count}; unit += ${size})`, body);
  each((tile.rows * tile.inner) / 4, () => {
    const run = (lhsAlongRows ? tile.rows : tile.inner) / 4;
    const [along, beside] = [`unit % ${run} * 4`, `unit / ${run}`];
    const [row, inner] = lhsAlongRows ? [along, beside] : [beside, along];
    shader.line(`lhs_tile[unit] = ${pack(shader, `lhs(${batch}, ${sum(tileRow, row)}, start + ${inner})`)};`);
  });
  each(tile.inner * across, () => {
    const column = sum(tileColumn, `unit % ${across} * 4`);
    const values = `rhs(${batch}, start + unit / ${across}, ${column})`;
    shader.line(`rhs_tile[unit] = ${pack(shader, values)};`);
  });
}

const STEPS = [0, 1, 2, 3];
const COMPONENTS = ["x", "y", "z", "w"];

/** Four steps along the inner dimension, added up in the same order whatever the tile. */
function emitSums(shader: ShaderWriter, product: MatrixProduct, tile: Tile, own: readonly string[]): void {
  const { unpack } = TILE_FORMATS[shader.precision];
  for (const step of STEPS) {
    const four = `rhs_tile[(k * 4 + ${step}) * ${tile.columns / 4} + column]`;
    shader.line(`let b${step} = ${unpack(shader, four)};`);
  }
  const factorsOf = product.lhsAlongRows ? factorsAlongRows : factorsAlongInner;
  own.forEach((name, i) => {
    const products = factorsOf(shader, tile, i).map((factor, step) => `${factor} * b${step}`);
    shader.line(`${name} += ${products.join(" + ")};`);
  });
}

/** What the i-th of an invocation's rows has at each of the four steps: the parts of one vector. */
function factorsAlongInner(shader: ShaderWriter, tile: Tile, i: number): Code[] {
  const four = `lhs_tile[(${ownRow(tile, false, i)}) * ${tile.inner / 4} + k]`;
  shader.line(`let a${i} = ${TILE_FORMATS[shader.precision].unpack(shader, four)};`);
  return COMPONENTS.map((part) => `a${i}.${part}`);
}

/** The same where vectors are along rows: one for each step, which four of the invocation's rows share if it has so many. */
function factorsAlongRows(shader: ShaderWriter, tile: Tile, i: number): Code[] {
  const row = ownRow(tile, true, i);
  const vector = (step: number): Code =>
    TILE_FORMATS[shader.precision].unpack(shader, `lhs_tile[(k * 4 + ${step}) * ${tile.rows / 4} + (${row}) / 4]`);
  if (!ownsFours(tile, true)) return STEPS.map((step) => `${vector(step)}[(${row}) % 4]`);
  const four = Math.floor(i / 4);
  if (i % 4 === 0) for (const step of STEPS) shader.line(`let a${four}_${step} = ${vector(step)};`);
  return STEPS.map((step) => `a${four}_${step}.${COMPONENTS[i % 4]}`);
}

/** Whether an invocation's rows are runs of four. */
function ownsFours({ rowsEach }: Tile, lhsAlongRows: boolean): boolean {
  return lhsAlongRows && rowsEach % 4 === 0;
}

/** Where the i-th of an invocation's rows, or of its runs of four, is in the tile. */
function ownRow(tile: Tile, lhsAlongRows: boolean, i: Code | number): Code {
  const down = tile.rows / tile.rowsEach;
  return ownsFours(tile, lhsAlongRows) ? `(row + ${i} / 4 * ${down}) * 4 + ${i} % 4` : `row + ${i} * ${down}`;
}

function emitStores(
  shader: ShaderWriter,
  { rows, columns, lhsAlongRows, storesVectors }: MatrixProduct,
  tile: Tile,
  { own, batch, tileRow, tileColumn }: Place & { readonly own: readonly string[] },
): void {
  shader.line(`var sums = array<vec4<f32>, ${own.length}>(${own.join(", ")});`);
  shader.line(`let to_column = ${sum(tileColumn, "column * 4")};`);
  if (storesVectors) shader.line(`if (to_column >= ${columns}) { return; }`);
  shader.block(`for (var i = 0; i < ${own.length}; i++)`, () => {
    shader.line(`let to_row = ${sum(tileRow, ownRow(tile, lhsAlongRows, "i"))};`);
    shader.line(`if (to_row >= ${rows}) { break; }`);
    if (storesVectors) {
      shader.line(`store(${batch}, to_row, to_column, sums[i]);`);
      return;
    }
    shader.block(`for (var lane = 0; lane < min(4, ${columns} - to_column); lane++)`, () =>
      shader.line(`store(${batch}, to_row, to_column + lane, sums[i][lane]);`),
    );
  });
}

function sum(a: Code, b: Code): Code {
  return a === "0" ? b : `${a} + ${b}`;
}

/** Returns four elements along an axis of some size, from the index `name` on, with 0 beyond the end. */
export function returnFour(shader: ShaderWriter, size: number, name: Code, element: (i: Code) => Code): void {
  shader.line("var four = vec4<f32>();");
  shader.block(`for (var i = 0; i < min(4, ${size} - ${name}); i++)`, () => shader.line(`four[i] = ${element("i")};`));
  shader.line("return four;");
}
