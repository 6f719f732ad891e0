import type { AttentionOperands, AttentionShape, Buffer, View } from "../../../../compiler/program.ts";
import type { Integer, Local } from "../../assembly/instruction.ts";
import { f32, i32, memory } from "../../assembly/scalar-instructions.ts";
import { addressAt } from "../../emit/addresses.ts";
import type { KernelBuilder } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import type { Panel } from "../panels.ts";
import type { Count } from "../tasks.ts";
import { emitProduct } from "../tiles.ts";

/**
 * Queries of a tile and keys of a block, at most: similarities of one with the other take 36 KiB. They are multiples of
 * every tile's height and width. What is computed of a tile lies transposed, query beside query: then maxima and sums over
 * the keys go along vectors, and keys and values are read where they lie.
 */
const MOST_QUERIES = 96;
export const KEYS = 96;
const COLUMN_UNIT = 8;

/** With fewer keys, all similarities stay in the caches; with more channels, tiles do not. */
const FEWEST_KEYS = 256;
const MOST_CHANNELS = 128;
/** Threads share out the gradients of attention by heads. */
const FEWEST_HEADS = 4;

/** Whether attention as one kernel is faster than its products and softmax one after the other. */
export function paysAsAWhole(shape: AttentionShape, pass: "forward" | "backward"): boolean {
  const { batch, heads, keys, channels } = shape;
  return keys >= FEWEST_KEYS && channels <= MOST_CHANNELS && (pass === "forward" || batch * heads >= FEWEST_HEADS);
}

/** How the queries of a head are cut into tiles. */
export interface QueryTiles {
  readonly queries: number;
  readonly count: number;
  readonly panels: readonly Panel[];
  /** Queries of a tile with those that fill its last panel: pairs of vectors. */
  readonly width: number;
}

export function planQueries(queries: number, wide: boolean): QueryTiles {
  const even = Math.ceil(queries / Math.ceil(queries / MOST_QUERIES));
  const most = Math.min(queries, COLUMN_UNIT * Math.ceil(even / COLUMN_UNIT));
  const panels = planPanels(COLUMN_UNIT * Math.ceil(most / COLUMN_UNIT), wide);
  return { queries: most, count: Math.ceil(queries / most), panels, width: paddedColumns(panels) };
}

/** A head of one image. */
export interface Head {
  readonly batch: Integer;
  readonly head: Integer;
}

/** Rows of a head: where the first is, and the bytes from each to the next. */
export interface HeadRows {
  readonly address: Local<"i32">;
  readonly step: number;
}

export function rowsOf(target: KernelBuilder, { buffer, index }: View, { batch, head }: Head): HeadRows {
  const address = addressAt(target.baseOf(buffer), index, [batch, undefined, head]);
  return { address: target.code.local("i32", address), step: 4 * index.coefficients[1] };
}

/** Rows of `width` numbers in a contiguous [batch, tokens, heads, width]. */
export function rowsIn(
  target: KernelBuilder,
  buffer: Buffer,
  tokens: number,
  { shape: { heads } }: Pick<AttentionOperands, "shape">,
  width: number,
  head: Head,
): HeadRows {
  const index = { offset: 0, coefficients: [tokens * heads * width, heads * width, width, 1] };
  return rowsOf(target, { buffer, index }, head);
}

export function rowAt({ address, step }: HeadRows, row: Integer): Integer {
  return i32.add(address, i32.mul(row, step));
}

/** A place in scratch memory, kept in a local. */
export function scratchAt(target: KernelBuilder, floats: number): Local<"i32"> {
  return target.code.local("i32", target.scratch(4 * floats));
}

export function clear(target: KernelBuilder, address: Integer, floats: number): void {
  target.code.emit(memory.fill(address, 0, 4 * floats));
}

/** Rows of numbers: the bytes from row to row and from number to number. */
export interface Placed {
  readonly address: Integer;
  readonly rowStep: number;
  readonly numberStep: number;
}

/** Numbers of a row that are moved without a loop. */
const UNROLLED = 4;

/** Copies rows of numbers, times a factor. */
export function moveRows(
  { code }: KernelBuilder,
  from: Placed,
  to: Placed,
  { rows, length, factor = 1 }: { readonly rows: Integer; readonly length: number; readonly factor?: number },
): void {
  const [row, toRow] = [code.local("i32", from.address), code.local("i32", to.address)];
  const [number, toNumber] = [code.local("i32"), code.local("i32")];
  const unrolled = length % UNROLLED === 0 ? UNROLLED : 1;
  code.countUp(0, rows, 1, () => {
    code.set(number, row);
    code.set(toNumber, toRow);
    code.countUp(0, length, unrolled, () => {
      for (let i = 0; i < unrolled; i++) {
        const value = f32.load(number, i * from.numberStep);
        code.emit(f32.store(toNumber, factor === 1 ? value : f32.mul(value, f32.const(factor)), i * to.numberStep));
      }
      code.increase(number, unrolled * from.numberStep);
      code.increase(toNumber, unrolled * to.numberStep);
    });
    code.increase(row, from.rowStep);
    code.increase(toRow, to.rowStep);
  });
}

/** Rows of a head as they lie. */
export function inRows(address: Integer, step: number): Placed {
  return { address, rowStep: step, numberStep: 4 };
}

/** The same transposed, [numbers, width]: a row is a column. */
export function inColumns(address: Integer, width: number): Placed {
  return { address, rowStep: 4, numberStep: 4 * width };
}

/** What the tiles of a product of [rows, inner] x [inner, columns] are made of, all in scratch memory but the left factors. */
export interface TileProduct {
  readonly rows: Count;
  readonly inner: Integer;
  readonly left: Placed;
  /** Rows of the right factors, and of the results, are as long as all panels. */
  readonly right: Integer;
  readonly panels: readonly Panel[];
  readonly out: Integer;
  readonly accumulates: boolean;
}

export function emitTileProduct(target: KernelBuilder, product: TileProduct): void {
  const { rows, inner, left, right, panels, out, accumulates } = product;
  const rowBytes = 4 * paddedColumns(panels);
  emitProduct(target, {
    count: rows,
    rows: { kind: "strided", first: left.address, step: left.rowStep },
    panels,
    accumulates,
    rhs: right,
    out,
    outStep: rowBytes,
    inner: { lhsStep: left.numberStep, rhsStep: rowBytes, count: inner, segments: 1, lhsJump: 0 },
  });
}
