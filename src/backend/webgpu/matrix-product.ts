import type { Code, Dispatch, ShaderWriter } from "./shader.ts";

/** How a workgroup computes a rectangle of a product. Rows and columns are powers of two; columns a multiple of 4. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** How much of the inner dimension is in workgroup memory at a time, a multiple of 4. */
  readonly inner: number;
  /** Rows that one invocation computes, of 4 columns each. */
  readonly rowsEach: number;
}

/** Batches of [rows, inner] x [inner, columns], whose operands and results are anything that can be indexed. */
export interface MatrixProduct {
  readonly name: string;
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** Whether neighbours along the left operand's rows, not along its inner dimension, are neighbours in memory. */
  readonly lhsAlongRows: boolean;
  /** Writes the body of a function of i32 batch, row and inner that returns four numbers from `inner` on, within bounds or 0. */
  readonly lhs: (shader: ShaderWriter) => void;
  /** The same of batch, inner and column, four columns. */
  readonly rhs: (shader: ShaderWriter) => void;
  /** Writes what becomes of one element: the body of a function of i32 batch, row and column and f32 product. */
  readonly store: (shader: ShaderWriter) => void;
}

/**
 * A tiled product: a workgroup brings tiles of both operands into its own memory, vectors of four along the inner
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

  place(shader, "tile_column", columnTiles, "group", tile.columns);
  place(shader, "tile_row", rowTiles, `group / ${columnTiles}`, tile.rows);
  const batch = batches === 1 ? "0" : shader.bind("batch", `group / ${columnTiles * rowTiles}`);
  shader.line(`let column = local % ${across};`);
  shader.line(`let row = local / ${across};`);
  const own = Array.from({ length: tile.rowsEach }, (_, i) => `sum${i}`);
  for (const sum of own) shader.line(`var ${sum} = vec4<f32>();`);
  shader.block(`for (var start = 0; start < ${inner}; start += ${tile.inner})`, () => {
    emitLoads(shader, tile, size, product.lhsAlongRows, batch);
    shader.line("workgroupBarrier();");
    shader.block(`for (var k = 0; k < ${tile.inner / 4}; k++)`, () => emitSums(shader, tile, own, down));
    shader.line("workgroupBarrier();");
  });
  emitStores(shader, product, own, down, batch);
  return shader.finish(product.name, size, batches * rowTiles * columnTiles);
}

function place(shader: ShaderWriter, name: string, tiles: number, group: Code, step: number): void {
  shader.line(`let ${name} = ${tiles === 1 ? "0" : `${group} % ${tiles} * ${step}`};`);
}

function emitOperands(shader: ShaderWriter, { lhs, rhs, store }: MatrixProduct, tile: Tile): void {
  shader.shared("lhs_tile", "vec4<f32>", (tile.rows * tile.inner) / 4);
  shader.shared("rhs_tile", "vec4<f32>", (tile.inner * tile.columns) / 4);
  shader.function("lhs(batch: i32, row: i32, inner: i32) -> vec4<f32>", () => lhs(shader));
  shader.function("rhs(batch: i32, inner: i32, column: i32) -> vec4<f32>", () => rhs(shader));
  shader.function("store(batch: i32, row: i32, column: i32, product: f32)", () => store(shader));
}

/** Every invocation brings its share of vectors; neighbours bring what lies next to each other in memory. */
function emitLoads(shader: ShaderWriter, tile: Tile, size: number, alongRows: boolean, batch: Code): void {
  const quarters = tile.inner / 4;
  const each = (count: number, body: () => void): void => {
    if (count === size) shader.block("", body);
    else shader.block(`for (var unit = local; unit < ${count}; unit += ${size})`, body);
  };
  const unit = (count: number): Code => (count === size ? "local" : "unit");
  const lhsCount = tile.rows * quarters;
  each(lhsCount, () => {
    const u = unit(lhsCount);
    const [row, k] = alongRows
      ? [`${u} % ${tile.rows}`, `${u} / ${tile.rows}`]
      : [`${u} / ${quarters}`, `${u} % ${quarters}`];
    shader.line(`let r = ${row};`);
    shader.line(`let q = ${k};`);
    shader.line(`lhs_tile[r * ${quarters} + q] = lhs(${batch}, tile_row + r, start + q * 4);`);
  });
  const across = tile.columns / 4;
  const rhsCount = tile.inner * across;
  each(rhsCount, () => {
    const u = unit(rhsCount);
    shader.line(`rhs_tile[${u}] = rhs(${batch}, start + ${u} / ${across}, tile_column + ${u} % ${across} * 4);`);
  });
}

/** Four steps along the inner dimension. */
function emitSums(shader: ShaderWriter, tile: Tile, own: readonly string[], down: number): void {
  const across = tile.columns / 4;
  const quarters = tile.inner / 4;
  for (let i = 0; i < 4; i++) shader.line(`let b${i} = rhs_tile[(k * 4 + ${i}) * ${across} + column];`);
  own.forEach((sum, i) => {
    shader.line(`let a${i} = lhs_tile[(row + ${i * down}) * ${quarters} + k];`);
    shader.line(`${sum} += a${i}.x * b0 + a${i}.y * b1 + a${i}.z * b2 + a${i}.w * b3;`);
  });
}

function emitStores(
  shader: ShaderWriter,
  { rows, columns }: MatrixProduct,
  own: readonly string[],
  down: number,
  batch: Code,
): void {
  shader.line(`var sums = array<vec4<f32>, ${own.length}>(${own.join(", ")});`);
  shader.block(`for (var i = 0; i < ${own.length}; i++)`, () => {
    shader.line(`let to_row = tile_row + row + i * ${down};`);
    shader.line(`if (to_row >= ${rows}) { break; }`);
    shader.block("for (var lane = 0; lane < 4; lane++)", () => {
      shader.line("let to_column = tile_column + column * 4 + lane;");
      shader.line(`if (to_column < ${columns}) { store(${batch}, to_row, to_column, sums[i][lane]); }`);
    });
  });
}

/** A tile that fits a product. */
export function chooseTile({ rows, columns }: { readonly rows: number; readonly columns: number }): Tile {
  const wide = columns > 32 ? 64 : columns > 16 ? 32 : 16;
  const rowsEach = rows >= 128 ? 8 : rows >= 32 ? 4 : 1;
  const high = Math.min(128, Math.max(8, powerOfTwoFrom(rows)));
  const most = (256 * 4 * rowsEach) / wide;
  return { rows: Math.max(rowsEach, Math.min(high, most)), columns: wide, inner: 16, rowsEach };
}

function powerOfTwoFrom(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
