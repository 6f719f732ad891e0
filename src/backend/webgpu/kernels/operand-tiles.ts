import { MOST_PER_DIMENSION } from "../emit/dispatch.ts";
import type { Grid } from "../emit/dispatch.ts";
import { decode, decodeKnown } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { sum, times } from "./operand.ts";
import type { Four, Operand, TileLoop } from "./operand.ts";
import type { ProductSize } from "./product-size.ts";
import { lhsStride, rhsStride } from "./tile.ts";
import type { Tile } from "./tile.ts";

/** Batches of matrix products, whose operands and results are anything that can be indexed. */
export interface MatrixProduct extends ProductSize {
  readonly name: string;
  /** Whether the batches are the parts of one sum: their inner dimensions follow each other. */
  readonly isSumInParts: boolean;
  /** Whether the left operand comes in fours along its rows, which are neighbours in memory, or along the inner dimension. */
  readonly lhsAlongRows: boolean;
  readonly lhs: Operand;
  /** Four columns at a time. */
  readonly rhs: Operand;
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
  readonly workgroups: number | Grid;
}

/** Where a workgroup's rectangle is, and how many there are: in a grid, unless there are more than a dimension of it takes. */
export function emitPlace(shader: ShaderWriter, { batches, rows, columns }: MatrixProduct, tile: Tile): Place {
  const grid: Grid = [Math.ceil(columns / tile.columns), Math.ceil(rows / tile.rows), batches];
  const isGrid = grid.every((n) => n <= MOST_PER_DIMENSION);
  const [columnTile, rowTile, batch] = isGrid
    ? ["id.x", "id.y", "id.z"].map((each) => `i32(${each})`)
    : decode(shader, grid.toReversed(), "group", "tile").toReversed();
  return {
    batch: shader.bind("batch", batch),
    tileRow: shader.bind("tile_from", times(rowTile, tile.rows)),
    tileColumn: shader.bind("tile_from", times(columnTile, tile.columns)),
    workgroups: isGrid ? grid : grid[0] * grid[1] * grid[2],
  };
}

/** How four numbers lie in workgroup memory. */
export interface TileFormat {
  /** A vector of four. */
  readonly type: string;
  readonly of: (four: Four) => Code;
}

/** The tiles in workgroup memory, and a function that stores results. */
export function emitMemory(shader: ShaderWriter, product: MatrixProduct, tile: Tile, { type }: TileFormat): void {
  const { lhsAlongRows, storesVectors, store } = product;
  shader.shared("lhs_tile", type, (lhsAlongRows ? tile.inner : tile.rows) * lhsStride(tile, lhsAlongRows));
  shader.shared("rhs_tile", type, tile.inner * rhsStride(tile));
  const stored = storesVectors ? "vec4<f32>" : "f32";
  shader.function(`store(batch: i32, row: i32, column: i32, product: ${stored})`, store);
}

/**
 * The loop over tiles along the inner dimension. Every invocation brings its share of both tiles; neighbours bring what
 * lies next to each other in memory. The left tile lies row by row, or inner by inner where it comes in fours along its
 * rows; the right one inner by inner. What is read next does not wait for the sums of the tile before.
 *
 * @param size invocations of the workgroup
 * @param sums writes what a tile adds to the sums
 */
export function emitTiles(
  shader: ShaderWriter,
  product: MatrixProduct,
  tile: Tile,
  { batch, tileRow, tileColumn }: Place,
  format: TileFormat,
  size: number,
  sums: () => void,
): void {
  const { inner, lhsAlongRows, isSumInParts } = product;
  const { rows, columns, inner: depth } = tile;
  const terms = shader.anySize(inner);
  const from = isSumInParts ? shader.bind("from", `${batch} * ${terms}`) : "0";
  const end = isSumInParts ? shader.bind("end", `${from} + ${terms}`) : terms;
  const ends: (() => void)[] = [];
  const loop: TileLoop = { from, end, step: depth, atEnd: (write) => ends.push(write) };
  const shares = [
    ...sharesOf(shader, product.lhs, batch, loop, size, {
      name: "lhs",
      first: tileRow,
      stride: lhsStride(tile, lhsAlongRows),
      ...(lhsAlongRows
        ? { along: "outer", length: rows, lines: depth }
        : { along: "inner", length: depth, lines: rows }),
    }),
    ...sharesOf(shader, product.rhs, batch, loop, size, {
      name: "rhs",
      first: tileColumn,
      stride: rhsStride(tile),
      along: "outer",
      length: columns,
      lines: depth,
    }),
  ];
  const reachesBeyond = inner % depth !== 0;
  shader.block(`for (var tile = 0; tile < ${shader.anySize(Math.ceil(inner / depth))}; tile++)`, () => {
    const start = shader.bind("start", sum(from, `tile * ${depth}`));
    for (const { name, isOwn, inner: at, read } of shares) {
      const four = read(start);
      const conditions = [isOwn, reachesBeyond ? `${sum(start, at)} < ${end}` : undefined, four.isInside];
      const condition = allOf(conditions);
      shader.line(`var ${name} = ${format.type}();`);
      if (condition === "") shader.line(`${name} = ${format.of(four)};`);
      else shader.block(`if (${condition})`, () => shader.line(`${name} = ${format.of(four)};`));
    }
    shader.line("workgroupBarrier();");
    for (const { name, target, isOwn } of shares)
      if (isOwn === undefined) shader.line(`${target} = ${name};`);
      else shader.block(`if (${isOwn})`, () => shader.line(`${target} = ${name};`));
    shader.line("workgroupBarrier();");
    sums();
    for (const write of ends) write();
  });
}

/** Without a branch for each condition, as `&&` would have it. */
function allOf(conditions: readonly (Code | undefined)[]): Code {
  const codes = conditions.filter((each) => each !== undefined);
  return codes.length === 1 ? codes[0] : codes.map((each) => `(${each})`).join(" & ");
}

/** An operand's tile: lines of so many numbers, fours of which are neighbours along one of the operand's dimensions. */
interface TileLayout {
  readonly name: string;
  /** The operand's row or column at the beginning of the tile. */
  readonly first: Code;
  readonly along: "outer" | "inner";
  readonly length: number;
  readonly lines: number;
  /** Vectors of four from line to line. */
  readonly stride: number;
}

/** Four numbers of a tile that an invocation brings. */
interface Share {
  readonly name: string;
  /** Their place in workgroup memory. */
  readonly target: Code;
  /** Whether this invocation brings any; undefined if all do. */
  readonly isOwn: Code | undefined;
  /** Where along the tile's inner dimension the first is. */
  readonly inner: Code;
  readonly read: (start: Code) => Four;
}

/**
 * What an invocation brings of a tile; all sizes are powers of two. As far as possible its fours are at one place along
 * the inner dimension, so that what is there is found out once for all of them.
 */
function sharesOf(
  shader: ShaderWriter,
  operand: Operand,
  batch: Code,
  loop: TileLoop,
  size: number,
  { name, first, along, length, lines, stride }: TileLayout,
): Share[] {
  const fours = length / 4;
  const width = Math.min(fours, along === "inner" ? size : Math.max(1, size / lines));
  const height = size / width;
  const [line, four] = decodeKnown(shader, [height, width], "local", "own");
  const place = shader.bind("own", sum(times(line, stride), four));
  return Array.from({ length: Math.ceil((lines * fours) / size) }, (_, i) => {
    const fourBefore = (i * width) % fours;
    const lineBefore = Math.floor((i * width) / fours) * height;
    const neighbours = times(plus(four, fourBefore), 4);
    const lineHere = plus(line, lineBefore);
    const [outer, inner] = along === "outer" ? [neighbours, lineHere] : [lineHere, neighbours];
    return {
      name: `${name}${i}`,
      target: `${name}_tile[${plus(place, lineBefore * stride + fourBefore)}]`,
      isOwn: lineBefore + height > lines ? `${line} < ${lines - lineBefore}` : undefined,
      inner,
      read: operand({ batch, outer: sum(first, outer), inner }, loop),
    };
  });
}

function plus(code: Code, amount: number): Code {
  return sum(code, String(amount));
}
