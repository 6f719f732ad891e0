import type { MatrixUnit } from "../emit/adapter.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import { decodeKnown } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { sum } from "./operand.ts";
import type { Four } from "./operand.ts";
import { emitMemory, emitPlace, emitTiles } from "./operand-tiles.ts";
import type { MatrixProduct, Place, TileFormat } from "./operand-tiles.ts";
import { invocationsOf, lhsStride, rhsStride } from "./tile.ts";
import type { Tile } from "./tile.ts";

/** A subgroup's share of a tile, in matrices that its unit takes. */
interface Blocks {
  readonly down: number;
  readonly across: number;
}

/**
 * A tiled product whose matrices are multiplied by matrix units: tiles go through workgroup memory as in others, and
 * each subgroup keeps the sums of a block. Results go through workgroup memory, too, as only there they can be indexed.
 */
export function emitUnitProduct(shader: ShaderWriter, product: MatrixProduct, tile: Tile, unit: MatrixUnit): Dispatch {
  const size = invocationsOf(tile);
  const blocks = { down: tile.rowsEach / unit.rows, across: tile.columnsEach / unit.columns };
  const format = formatOf(unit);
  shader.directive("enable chromium_experimental_subgroup_matrix;");
  // That a subgroup takes one way together follows from its number, which WGSL's analysis knows nothing of.
  shader.directive("diagnostic(off, chromium.subgroup_matrix_uniformity);");
  if (unit.component === "f16") shader.directive("enable f16;");
  emitMemory(shader, product, tile, format);
  emitStoreBlock(shader, product, tile, unit);

  const place = emitPlace(shader, product, tile);
  const subgroup = shader.bind("subgroup", `i32(u32(local) / ${unit.subgroupSize}u)`);
  const grid = [tile.rows / tile.rowsEach, tile.columns / tile.columnsEach];
  const [down, across] = decodeKnown(shader, grid, subgroup, "block");
  shader.line(`let row = ${down === "0" ? down : `${down} * ${tile.rowsEach}`};`);
  shader.line(`let column = ${across === "0" ? across : `${across} * ${tile.columnsEach}`};`);
  for (const name of sumsOf(blocks))
    shader.line(`var ${name}: subgroup_matrix_result<f32, ${unit.columns}, ${unit.rows}>;`);
  emitTiles(shader, product, tile, place, format, size, () =>
    shader.block(`for (var k = 0; k < ${tile.inner}; k += ${unit.inner})`, () =>
      emitSums(shader, product, tile, unit, blocks),
    ),
  );
  emitStores(shader, unit, blocks, place, subgroup);
  return shader.finish(product.name, size, place.workgroups, unit.isPinned === true ? unit.subgroupSize : undefined);
}

/** Halves that lie in memory as such go through as they are. */
function formatOf({ component }: MatrixUnit): TileFormat {
  if (component === "f32") return { type: "vec4<f32>", of: (four) => four.value() };
  const of = (four: Four): Code => {
    const halves = four.halves?.();
    return halves === undefined ? `vec4<f16>(${four.value()})` : `bitcast<vec4<f16>>(${halves})`;
  };
  return { type: "vec4<f16>", of };
}

const sumOf = (i: number, j: number): string => `sum${i}_${j}`;

function sumsOf({ down, across }: Blocks): string[] {
  return range(down).flatMap((i) => range(across).map((j) => sumOf(i, j)));
}

/** What matrices along `k` add to a subgroup's sums. Offsets and strides in workgroup memory count vectors of four. */
function emitSums(
  shader: ShaderWriter,
  { lhsAlongRows }: MatrixProduct,
  tile: Tile,
  { component, rows, columns, inner }: MatrixUnit,
  { down, across }: Blocks,
): void {
  const [lhsLine, rhsLine] = [lhsStride(tile, lhsAlongRows), rhsStride(tile)];
  for (const i of range(down)) {
    const row = sum("row", String(i * rows));
    const [offset, order] = lhsAlongRows
      ? [`k * ${lhsLine} + ((${row}) >> 2u)`, "col_major"]
      : [`(${row}) * ${lhsLine} + (k >> 2u)`, "row_major"];
    const type = `subgroup_matrix_left<${component}, ${inner}, ${rows}>`;
    shader.line(`let a${i} = subgroupMatrixLoad<${type}, ${order}>(&lhs_tile, u32(${offset}), ${lhsLine}u);`);
  }
  for (const j of range(across)) {
    const offset = `k * ${rhsLine} + ((${sum("column", String(j * columns))}) >> 2u)`;
    const type = `subgroup_matrix_right<${component}, ${columns}, ${inner}>`;
    shader.line(`let b${j} = subgroupMatrixLoad<${type}, row_major>(&rhs_tile, u32(${offset}), ${rhsLine}u);`);
    for (const i of range(down))
      shader.line(`${sumOf(i, j)} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, ${sumOf(i, j)});`);
  }
}

/** A function that stores what a subgroup has in `results`, from a row and a column of the product on. */
function emitStoreBlock(shader: ShaderWriter, product: MatrixProduct, tile: Tile, unit: MatrixUnit): void {
  const four = product.storesVectors ? 4 : 1;
  const block = unit.rows * unit.columns;
  const [rows, columns] = [product.rows, product.columns].map((n) => shader.anySize(n));
  shader.shared("results", "f32", (invocationsOf(tile) / unit.subgroupSize) * block);
  shader.function("store_block(batch: i32, row: i32, column: i32, first: i32, lane: i32)", () => {
    shader.block(`for (var i = lane * ${four}; i < ${block}; i += ${unit.subgroupSize * four})`, () => {
      const [down, across] = decodeKnown(shader, [unit.rows, unit.columns], "i");
      shader.line(`let to_row = row + ${down};`);
      shader.line(`let to_column = column + ${across};`);
      const results = range(four).map((n) => `results[first + i + ${n}]`);
      const value = four === 1 ? results[0] : `vec4(${results.join(", ")})`;
      shader.block(`if (to_row < ${rows} && to_column < ${columns})`, () =>
        shader.line(`store(batch, to_row, to_column, ${value});`),
      );
    });
  });
}

function emitStores(
  shader: ShaderWriter,
  unit: MatrixUnit,
  { down, across }: Blocks,
  { batch, tileRow, tileColumn }: Place,
  subgroup: Code,
): void {
  const first = shader.bind("results_from", `${subgroup} * ${unit.rows * unit.columns}`);
  const lane = shader.bind("lane", `local & ${unit.subgroupSize - 1}`);
  for (const i of range(down))
    for (const j of range(across)) {
      const row = sum(tileRow, sum("row", String(i * unit.rows)));
      const column = sum(tileColumn, sum("column", String(j * unit.columns)));
      shader.line(`subgroupMatrixStore<row_major>(&results, u32(${first}), ${sumOf(i, j)}, ${unit.columns}u);`);
      shader.line("workgroupBarrier();");
      shader.line(`store_block(${batch}, ${row}, ${column}, ${first}, ${lane});`);
      shader.line("workgroupBarrier();");
    }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
