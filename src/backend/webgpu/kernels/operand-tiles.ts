import { decode } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { sum, times } from "./operand.ts";
import type { Four, Operand, Run } from "./operand.ts";
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
  readonly workgroups: number;
}

/** Where a workgroup's rectangle is, and how many there are. */
export function emitPlace(shader: ShaderWriter, { batches, rows, columns }: MatrixProduct, tile: Tile): Place {
  const tiles = [batches, Math.ceil(rows / tile.rows), Math.ceil(columns / tile.columns)];
  const [batch, rowTile, columnTile] = decode(shader, tiles, "group", "tile");
  const first = (index: Code, size: number): Code =>
    index === "0" ? index : shader.bind("tile_from", `${index} * ${size}`);
  return {
    batch,
    tileRow: first(rowTile, tile.rows),
    tileColumn: first(columnTile, tile.columns),
    workgroups: tiles.reduce((a, b) => a * b),
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
  const shares = [
    ...sharesOf(shader, product.lhs, batch, size, {
      name: "lhs",
      first: tileRow,
      fits: product.rows % rows === 0,
      stride: lhsStride(tile, lhsAlongRows),
      ...(lhsAlongRows
        ? { along: "outer", length: rows, lines: depth }
        : { along: "inner", length: depth, lines: rows }),
    }),
    ...sharesOf(shader, product.rhs, batch, size, {
      name: "rhs",
      first: tileColumn,
      fits: product.columns % columns === 0,
      stride: rhsStride(tile),
      along: "outer",
      length: columns,
      lines: depth,
    }),
  ];
  const isPart = isSumInParts && batch !== "0";
  const from = isPart ? shader.bind("from", `${batch} * ${inner}`) : "0";
  const end = isPart ? shader.bind("end", `${from} + ${inner}`) : String(inner);
  const reachesBeyond = inner % depth !== 0;
  shader.block(`for (var tile = 0; tile < ${Math.ceil(inner / depth)}; tile++)`, () => {
    const start = shader.bind("start", sum(from, `tile * ${depth}`));
    for (const { name, isOwn, inner: at, read } of shares) {
      const four = read({ start, end });
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
  /** Whether none of the tiles reaches beyond the last row or column. */
  readonly fits: boolean;
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
  readonly read: (run: Run) => Four;
}

/**
 * What an invocation brings of a tile; all sizes are powers of two. As far as possible its fours are at one place along
 * the inner dimension, so that what is there is found out once for all of them.
 */
function sharesOf(
  shader: ShaderWriter,
  operand: Operand,
  batch: Code,
  size: number,
  { name, first, fits, along, length, lines, stride }: TileLayout,
): Share[] {
  const fours = length / 4;
  const width = Math.min(fours, along === "inner" ? size : Math.max(1, size / lines));
  const height = size / width;
  const [line, four] = decode(shader, [height, width], "local", "own");
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
      read: operand({ batch, outer: sum(first, outer), inner, fits }),
    };
  });
}

function plus(code: Code, amount: number): Code {
  return sum(code, String(amount));
}
