import type { MatrixUnit } from "../emit/adapter.ts";
import { emitLoads, emitOperands, emitPlace, plus } from "./operand-tiles.ts";
import type { MatrixProduct, Place } from "./operand-tiles.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import type { TileFormat } from "./tile-format.ts";
import { SUBGROUPS } from "./tile.ts";
import type { Tile } from "./tile.ts";

/** A subgroup's share of a tile, in matrices that its unit takes. */
interface Blocks {
  readonly down: number;
  readonly across: number;
}

/**
 * A tiled product whose matrices are multiplied by matrix units: tiles go through workgroup memory as in others, and
 * each subgroup keeps the sums of some rows. Results go through workgroup memory, too, as only there they can be indexed.
 */
export function emitUnitProduct(shader: ShaderWriter, product: MatrixProduct, tile: Tile, unit: MatrixUnit): Dispatch {
  const size = SUBGROUPS * unit.subgroupSize;
  const blocks = { down: tile.rowsEach / unit.rows, across: tile.columns / unit.columns };
  const format = formatOf(unit);
  shader.directive("enable chromium_experimental_subgroup_matrix;");
  // That a subgroup takes one way together follows from its number, which WGSL's analysis knows nothing of.
  shader.directive("diagnostic(off, chromium.subgroup_matrix_uniformity);");
  if (unit.component === "f16") shader.directive("enable f16;");
  emitOperands(shader, product, tile, format);
  emitStoreBlock(shader, product, unit);

  const { place, workgroups } = emitPlace(shader, product, tile);
  shader.line(`let subgroup = local / ${unit.subgroupSize};`);
  for (const sum of sumsOf(blocks))
    shader.line(`var ${sum}: subgroup_matrix_result<f32, ${unit.columns}, ${unit.rows}>;`);
  shader.block(`for (var start = 0; start < ${product.inner}; start += ${tile.inner})`, () => {
    emitLoads(shader, product, tile, format, place, size);
    shader.line("workgroupBarrier();");
    shader.block(`for (var k = 0; k < ${tile.inner}; k += ${unit.inner})`, () =>
      emitSums(shader, product, tile, unit, blocks),
    );
    shader.line("workgroupBarrier();");
  });
  emitStores(shader, tile, unit, blocks, place);
  return shader.finish(product.name, size, workgroups);
}

function formatOf({ component }: MatrixUnit): TileFormat {
  return {
    type: component,
    perFour: 4,
    write: (shader, tile, number, four) => {
      const values = shader.bind("four", component === "f16" ? `vec4<f16>(${four})` : four);
      for (let i = 0; i < 4; i++) shader.line(`${tile}[${number} * 4 + ${i}] = ${values}[${i}];`);
    },
  };
}

const sumOf = (i: number, j: number): string => `sum${i}_${j}`;

function sumsOf({ down, across }: Blocks): string[] {
  return range(down).flatMap((i) => range(across).map((j) => sumOf(i, j)));
}

/** What matrices along `k` add to a subgroup's sums. */
function emitSums(
  shader: ShaderWriter,
  { lhsAlongRows }: MatrixProduct,
  tile: Tile,
  { component, rows, columns, inner }: MatrixUnit,
  { down, across }: Blocks,
): void {
  for (const i of range(down)) {
    const row = `(subgroup * ${tile.rowsEach} + ${i * rows})`;
    const [offset, order, stride] = lhsAlongRows
      ? [`k * ${tile.rows} + ${row}`, "col_major", tile.rows]
      : [`${row} * ${tile.inner} + k`, "row_major", tile.inner];
    const type = `subgroup_matrix_left<${component}, ${inner}, ${rows}>`;
    shader.line(`let a${i} = subgroupMatrixLoad<${type}, ${order}>(&lhs_tile, u32(${offset}), ${stride}u);`);
  }
  for (const j of range(across)) {
    const offset = `k * ${tile.columns} + ${j * columns}`;
    const type = `subgroup_matrix_right<${component}, ${columns}, ${inner}>`;
    shader.line(`let b${j} = subgroupMatrixLoad<${type}, row_major>(&rhs_tile, u32(${offset}), ${tile.columns}u);`);
  }
  for (const i of range(down))
    for (const j of range(across))
      shader.line(`${sumOf(i, j)} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, ${sumOf(i, j)});`);
}

/** A function that stores what a subgroup has in `results`, from a row and a column of the product on. */
function emitStoreBlock(shader: ShaderWriter, product: MatrixProduct, unit: MatrixUnit): void {
  const four = product.storesVectors ? 4 : 1;
  const block = unit.rows * unit.columns;
  shader.shared("results", "f32", SUBGROUPS * block);
  shader.function("store_block(batch: i32, row: i32, column: i32, local: i32)", () => {
    shader.line(`let first = local / ${unit.subgroupSize} * ${block};`);
    const lane = `local % ${unit.subgroupSize} * ${four}`;
    shader.block(`for (var i = ${lane}; i < ${block}; i += ${unit.subgroupSize * four})`, () => {
      shader.line(`let to_row = row + i / ${unit.columns};`);
      shader.line(`let to_column = column + i % ${unit.columns};`);
      const results = range(four).map((n) => `results[first + i + ${n}]`);
      const value = four === 1 ? results[0] : `vec4(${results.join(", ")})`;
      shader.block(`if (to_row < ${product.rows} && to_column < ${product.columns})`, () =>
        shader.line(`store(batch, to_row, to_column, ${value});`),
      );
    });
  });
}

function emitStores(
  shader: ShaderWriter,
  tile: Tile,
  unit: MatrixUnit,
  { down, across }: Blocks,
  { batch, tileRow, tileColumn }: Place,
): void {
  const first = `u32(subgroup * ${unit.rows * unit.columns})`;
  for (const i of range(down))
    for (const j of range(across)) {
      const row = plus(tileRow, `subgroup * ${tile.rowsEach} + ${i * unit.rows}`);
      const column: Code = plus(tileColumn, String(j * unit.columns));
      shader.line(`subgroupMatrixStore<row_major>(&results, ${first}, ${sumOf(i, j)}, ${unit.columns}u);`);
      shader.line("workgroupBarrier();");
      shader.line(`store_block(${batch}, ${row}, ${column}, local);`);
      shader.line("workgroupBarrier();");
    }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
