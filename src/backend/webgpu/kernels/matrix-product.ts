import { decodeKnown } from "../emit/grid.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { sum } from "./operand.ts";
import type { Four } from "./operand.ts";
import { emitMemory, emitPlace, emitTiles } from "./operand-tiles.ts";
import type { MatrixProduct, Place, TileFormat } from "./operand-tiles.ts";
import { invocationsOf, lhsStride, rhsStride } from "./tile.ts";
import type { Tile } from "./tile.ts";
import { emitUnitProduct } from "./unit-product.ts";

/**
 * A tiled product: a workgroup brings tiles of both operands into its own memory, as vectors of four, those of the
 * right operand along its columns, and every invocation keeps a block of sums in registers.
 */
export function emitProduct(shader: ShaderWriter, product: MatrixProduct, tile: Tile): Dispatch {
  if (tile.unit) return emitUnitProduct(shader, product, tile, tile.unit);
  const size = invocationsOf(tile);
  const format: TileFormat = { type: "vec4<f32>", of: (four) => floats(shader, four) };
  emitMemory(shader, product, tile, format);
  const place = emitPlace(shader, product, tile);
  const [row, column] = decodeKnown(shader, [tile.rows / tile.rowsEach, acrossOf(tile)], "local", "block");
  shader.line(`let row = ${row};`);
  shader.line(`let column = ${column};`);
  const sums = sumsOf(tile);
  for (const name of sums.flat()) shader.line(`var ${name} = vec4<f32>();`);
  emitTiles(shader, product, tile, place, format, size, () =>
    shader.block(`for (var k = 0; k < ${tile.inner / 4}; k++)`, () => emitSums(shader, product, tile, sums)),
  );
  emitStores(shader, product, tile, sums, place);
  return shader.finish(product.name, size, place.workgroups);
}

/**
 * Halves are multiplied as floats, for which every product of theirs is exact: a half would round it, and lose it where
 * it is small. That is what matrix units do, too.
 */
function floats(shader: ShaderWriter, four: Four): Code {
  if (shader.precision === "f32" || four.halves?.() !== undefined) return four.value();
  return shader.fromHalves(shader.toHalves(four.value()));
}

const STEPS = [0, 1, 2, 3];
const COMPONENTS = ["x", "y", "z", "w"];

/** Invocations side by side. */
function acrossOf({ columns, columnsEach }: Tile): number {
  return columns / columnsEach;
}

/** The sums of an invocation, by row and by vector of four columns. */
function sumsOf({ rowsEach, columnsEach }: Tile): string[][] {
  const vectors = Array.from({ length: columnsEach / 4 }, (_, j) => j);
  return Array.from({ length: rowsEach }, (_, i) => vectors.map((j) => `sum${i}_${j}`));
}

/** Four steps along the inner dimension, added up in the same order whatever the tile. */
function emitSums(shader: ShaderWriter, { lhsAlongRows }: MatrixProduct, tile: Tile, sums: string[][]): void {
  const factorsOf = lhsAlongRows ? factorsAlongRows(shader, tile) : factorsAlongInner(shader, tile);
  const multiplyAdd = (i: number, step: number): void => {
    const factor = factorsOf(i, step);
    sums[i].forEach((name, j) => shader.line(`${name} = fma(vec4(${factor}), b${step}_${j}, ${name});`));
  };
  const emitRight = (step: number): void =>
    sums[0].forEach((_, j) => {
      const place = `(k * 4 + ${step}) * ${rhsStride(tile)} + ${sum("column", String(j * acrossOf(tile)))}`;
      shader.line(`let b${step}_${j} = rhs_tile[${place}];`);
    });
  const rows = sums.map((_, i) => i);
  if (lhsAlongRows)
    for (const step of STEPS) {
      emitRight(step);
      for (const i of rows) multiplyAdd(i, step);
    }
  else {
    for (const step of STEPS) emitRight(step);
    for (const i of rows) for (const step of STEPS) multiplyAdd(i, step);
  }
}

type Factors = (i: number, step: number) => Code;

/** What the i-th of an invocation's rows has at each of the four steps: the parts of one vector. */
function factorsAlongInner(shader: ShaderWriter, tile: Tile): Factors {
  return (i, step) => {
    if (step === 0) shader.line(`let a${i} = lhs_tile[(${ownRow(tile, false, i)}) * ${lhsStride(tile, false)} + k];`);
    return `a${i}.${COMPONENTS[step]}`;
  };
}

/** The same where vectors are along rows: one for each step, which four of the invocation's rows share if it has so many. */
function factorsAlongRows(shader: ShaderWriter, tile: Tile): Factors {
  const stride = lhsStride(tile, true);
  return (i, step) => {
    const row = ownRow(tile, true, i);
    if (!ownsFours(tile, true)) return `lhs_tile[(k * 4 + ${step}) * ${stride} + ((${row}) >> 2u)][(${row}) & 3]`;
    const name = `a${Math.floor(i / 4)}_${step}`;
    const four = sum("row", String(Math.floor(i / 4) * (tile.rows / tile.rowsEach)));
    if (i % 4 === 0) shader.line(`let ${name} = lhs_tile[(k * 4 + ${step}) * ${stride} + ${four}];`);
    return `${name}.${COMPONENTS[i % 4]}`;
  };
}

/** Whether an invocation's rows are runs of four. */
function ownsFours({ rowsEach }: Tile, lhsAlongRows: boolean): boolean {
  return lhsAlongRows && rowsEach % 4 === 0;
}

/** Where the i-th of an invocation's rows is in the tile. */
function ownRow(tile: Tile, lhsAlongRows: boolean, i: number): Code {
  const down = tile.rows / tile.rowsEach;
  const own = sum("row", String((ownsFours(tile, lhsAlongRows) ? Math.floor(i / 4) : i) * down));
  return ownsFours(tile, lhsAlongRows) ? `(${own}) * 4 + ${i % 4}` : own;
}

function emitStores(
  shader: ShaderWriter,
  { lhsAlongRows, storesVectors, ...product }: MatrixProduct,
  tile: Tile,
  sums: string[][],
  { batch, tileRow, tileColumn }: Place,
): void {
  const columnsOf = sums[0].map((_, j) =>
    shader.bind("to_column", sum(tileColumn, `(${sum("column", String(j * acrossOf(tile)))}) * 4`)),
  );
  const [rows, columns] = [product.rows, product.columns].map((n) => shader.anySize(n));
  sums.forEach((own, i) => {
    const row = shader.bind("to_row", sum(tileRow, ownRow(tile, lhsAlongRows, i)));
    shader.block(`if (${row} < ${rows})`, () =>
      own.forEach((name, j) => {
        const column = columnsOf[j];
        if (storesVectors)
          shader.block(`if (${column} < ${columns})`, () =>
            shader.line(`store(${batch}, ${row}, ${column}, ${name});`),
          );
        else
          shader.block(`for (var lane = 0; lane < min(4, ${columns} - ${column}); lane++)`, () =>
            shader.line(`store(${batch}, ${row}, ${column} + lane, ${name}[lane]);`),
          );
      }),
    );
  });
}
