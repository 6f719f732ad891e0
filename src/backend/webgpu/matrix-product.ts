import type { ProductSize } from "./product-size.ts";
import type { Code, Dispatch, ShaderWriter } from "./shader.ts";
import type { Tile } from "./tile.ts";

/** Batches of matrix products, whose operands and results are anything that can be indexed. */
export interface MatrixProduct extends ProductSize {
  readonly name: string;
  /** Whether neighbours along the left operand's rows, not along its inner dimension, are neighbours in memory. */
  readonly lhsAlongRows: boolean;
  /** Writes a function's body: of i32 batch, row and inner, four numbers from `inner` on, with 0 beyond the end. */
  readonly lhs: () => void;
  /** The same of batch, inner and column: four columns. */
  readonly rhs: () => void;
  /** Whether `store` takes four columns at once. */
  readonly storesVectors: boolean;
  /** Writes the body of a function of i32 batch, row and column, and the product there. */
  readonly store: () => void;
}

/**
 * A tiled product: a workgroup brings tiles of both operands into its own memory, as vectors of four along the inner
 * dimension on the left and along the columns on the right, and every invocation keeps a block of sums in registers.
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
    shader.block(`for (var k = 0; k < ${tile.inner / 4}; k++)`, () => emitSums(shader, tile, own, down));
    shader.line("workgroupBarrier();");
  });
  emitStores(shader, product, own, { down, batch, tileRow, tileColumn });
  return shader.finish(product.name, size, batches * rowTiles * columnTiles);
}

function emitOperands(shader: ShaderWriter, product: MatrixProduct, tile: Tile): void {
  shader.shared("lhs_tile", "vec4<f32>", (tile.rows * tile.inner) / 4);
  shader.shared("rhs_tile", "vec4<f32>", (tile.inner * tile.columns) / 4);
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
  const quarters = tile.inner / 4;
  const across = tile.columns / 4;
  const each = (count: number, body: () => void): void =>
    shader.block(`for (var unit = local; unit < ${count}; unit += ${size})`, body);
  each(tile.rows * quarters, () => {
    const [inner, outer] = lhsAlongRows ? [tile.rows, "unit_row"] : [quarters, "quarter"];
    shader.line(`let ${lhsAlongRows ? outer : "quarter"} = unit % ${inner};`);
    shader.line(`let ${lhsAlongRows ? "quarter" : "unit_row"} = unit / ${inner};`);
    const values = `lhs(${batch}, ${sum(tileRow, "unit_row")}, start + quarter * 4)`;
    shader.line(`lhs_tile[unit_row * ${quarters} + quarter] = ${values};`);
  });
  each(tile.inner * across, () => {
    const column = sum(tileColumn, `unit % ${across} * 4`);
    shader.line(`rhs_tile[unit] = rhs(${batch}, start + unit / ${across}, ${column});`);
  });
}

/** Four steps along the inner dimension. */
function emitSums(shader: ShaderWriter, tile: Tile, own: readonly string[], down: number): void {
  const across = tile.columns / 4;
  const quarters = tile.inner / 4;
  for (let i = 0; i < 4; i++) shader.line(`let b${i} = rhs_tile[(k * 4 + ${i}) * ${across} + column];`);
  own.forEach((name, i) => {
    const row = i === 0 ? "row" : `(row + ${i * down})`;
    shader.line(`let a${i} = lhs_tile[${row} * ${quarters} + k];`);
    shader.line(`${name} += a${i}.x * b0 + a${i}.y * b1 + a${i}.z * b2 + a${i}.w * b3;`);
  });
}

function emitStores(
  shader: ShaderWriter,
  { rows, columns, storesVectors }: MatrixProduct,
  own: readonly string[],
  { down, batch, tileRow, tileColumn }: Place & { readonly down: number },
): void {
  shader.line(`var sums = array<vec4<f32>, ${own.length}>(${own.join(", ")});`);
  shader.line(`let to_column = ${sum(tileColumn, "column * 4")};`);
  if (storesVectors) shader.line(`if (to_column >= ${columns}) { return; }`);
  shader.block(`for (var i = 0; i < ${own.length}; i++)`, () => {
    shader.line(`let to_row = ${sum(tileRow, "row")} + i * ${down};`);
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
