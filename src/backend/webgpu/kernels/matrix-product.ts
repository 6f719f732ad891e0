import { emitLoads, emitOperands, emitPlace, plus } from "./operand-tiles.ts";
import type { MatrixProduct, Place } from "./operand-tiles.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { TILE_FORMATS } from "./tile-format.ts";
import type { Tile } from "./tile.ts";
import { emitUnitProduct } from "./unit-product.ts";

/**
 * A tiled product: a workgroup brings tiles of both operands into its own memory, as vectors of four, those of the
 * right operand along its columns, and every invocation keeps a block of sums in registers.
 */
export function emitProduct(shader: ShaderWriter, product: MatrixProduct, tile: Tile): Dispatch {
  if (tile.unit) return emitUnitProduct(shader, product, tile, tile.unit);
  const across = tile.columns / 4;
  const size = (across * tile.rows) / tile.rowsEach;
  const format = TILE_FORMATS[shader.precision];
  emitOperands(shader, product, tile, format);
  const { place, workgroups } = emitPlace(shader, product, tile);
  shader.line(`let column = local % ${across};`);
  shader.line(`let row = local / ${across};`);
  const own = Array.from({ length: tile.rowsEach }, (_, i) => `sum${i}`);
  for (const sum of own) shader.line(`var ${sum} = vec4<f32>();`);
  shader.block(`for (var start = 0; start < ${product.inner}; start += ${tile.inner})`, () => {
    emitLoads(shader, product, tile, format, place, size);
    shader.line("workgroupBarrier();");
    shader.block(`for (var k = 0; k < ${tile.inner / 4}; k++)`, () => emitSums(shader, product, tile, own));
    shader.line("workgroupBarrier();");
  });
  emitStores(shader, product, tile, own, place);
  return shader.finish(product.name, size, workgroups);
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
  own: readonly string[],
  { batch, tileRow, tileColumn }: Place,
): void {
  shader.line(`var sums = array<vec4<f32>, ${own.length}>(${own.join(", ")});`);
  shader.line(`let to_column = ${plus(tileColumn, "column * 4")};`);
  if (storesVectors) shader.line(`if (to_column >= ${columns}) { return; }`);
  shader.block(`for (var i = 0; i < ${own.length}; i++)`, () => {
    shader.line(`let to_row = ${plus(tileRow, ownRow(tile, lhsAlongRows, "i"))};`);
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
