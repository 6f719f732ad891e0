import type { Affine } from "../../../compiler/affine.ts";
import type { Expression, Store } from "../../../compiler/program.ts";
import type { KernelWriter } from "./kernel.ts";
import { callMicro, microName } from "./micro-kernel.ts";
import type { MicroCall, Panel, TilePlan } from "./micro-kernel.ts";
import type { Code, FunctionWriter } from "../emit/writer.ts";
import { add, get, i32, multiply, set } from "../emit/writer.ts";

/** base + 4 * (the affine value at the given axes); axes without an entry count as 0. */
export function addressAt(base: Code, index: Affine, at: readonly (Code | undefined)[]): Code {
  let address = add(base, i32(4 * index.offset));
  index.coefficients.forEach((c, axis) => {
    const code = at[axis];
    if (c !== 0 && code !== undefined) address = add(address, multiply(code, 4 * c));
  });
  return address;
}

/** A count that takes one of few values, known when the kernel is written. */
export interface Count {
  readonly code: Code;
  readonly values: readonly number[];
}

/** Runs over `total` in blocks: how long block number `at` is. */
export function blockLength(writer: FunctionWriter, total: number, block: number, start: Code): Count {
  if (total % block === 0) return { code: i32(block), values: [block] };
  const left = get(writer.bind("i32", `(i32.sub ${i32(total)} ${start})`));
  const code = get(writer.bind("i32", `(select ${i32(block)} ${left} (i32.gt_u ${left} ${i32(block)}))`));
  return { code, values: total < block ? [total] : [block, total % block] };
}

/** Where the rows of left factors of a block lie. */
export type Rows =
  // at equal distances
  | { readonly kind: "strided"; readonly first: Code; readonly step: number }
  // pixels of image rows: `width` of them at equal distances, then a jump to the next row
  | {
      readonly kind: "pixels";
      readonly first: Code;
      readonly width: number;
      readonly step: number;
      readonly jump: number;
    };

export interface ProductTiles {
  readonly count: Count;
  readonly rows: Rows;
  readonly panels: readonly Panel[];
  readonly accumulates: boolean;
  readonly rhs: Code;
  readonly out: Code;
  readonly outStep: number;
  /** The rest of each call. */
  readonly inner: Pick<MicroCall, "lhsStep" | "rhsStep" | "count" | "segments" | "lhsJump">;
}

/** All tiles of a block of rows, panel by panel, so that a panel of right factors stays in the first cache. */
export function emitProduct(target: KernelWriter, product: ProductTiles): void {
  const { writer } = target;
  for (const { column, tile } of product.panels) {
    const rhs = get(writer.bind("i32", add(product.rhs, i32(4 * column))));
    const out = writer.bind("i32", add(product.out, i32(4 * column)));
    /** Writes calls for rows at the given addresses, and for as many tiles below, and moves `out` on. */
    const call = (rows: readonly Code[], tiles: Code, tileStep: number): void => {
      const { accumulates, inner, outStep } = product;
      target.calls.add(microName(rows.length, tile.vectors, accumulates));
      const below = { tiles, tileStep: i32(tileStep), rhs, out: get(out), outStep: i32(outStep) };
      writer.line(callMicro({ rows: rows.length, vectors: tile.vectors }, accumulates, { ...inner, ...below, rows }));
      const written =
        tiles === i32(1) ? i32(rows.length * outStep) : `(i32.mul ${tiles} ${i32(rows.length * outStep)})`;
      writer.line(set(out, `(i32.add ${get(out)} ${written})`));
    };
    if (product.rows.kind === "strided") stridedTiles(writer, product.rows, product.count, tile, call);
    else if (product.rows.width % tile.rows === 0) imageRowTiles(writer, product.rows, product.count, tile, call);
    else pixelTiles(writer, product.rows, product.count, tile, call);
  }
}

type Call = (rows: readonly Code[], tiles: Code, tileStep: number) => void;

function stepped(first: Code, step: number, rows: number): Code[] {
  return Array.from({ length: rows }, (_, i) => add(first, i32(i * step)));
}

/** One call for all whole tiles, one for what is left. */
function stridedTiles(
  writer: FunctionWriter,
  rows: Extract<Rows, { kind: "strided" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const first = get(writer.bind("i32", rows.first));
  const tiles = get(writer.bind("i32", `(i32.div_u ${count.code} ${i32(tile.rows)})`));
  if (count.values.some((n) => n >= tile.rows)) {
    const whole = (): void => call(stepped(first, rows.step, tile.rows), tiles, tile.rows * rows.step);
    if (count.values.every((n) => n >= tile.rows)) whole();
    else writer.when(tiles, whole);
  }
  forRests(writer, count, tile, (rest) => {
    const below = get(writer.bind("i32", add(first, `(i32.mul ${tiles} ${i32(tile.rows * rows.step)})`)));
    call(stepped(below, rows.step, rest), i32(1), 0);
  });
}

/** One call for each image row, which tiles fill. */
function imageRowTiles(
  writer: FunctionWriter,
  rows: Extract<Rows, { kind: "pixels" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const { width, step, jump } = rows;
  const at = writer.bind("i32", rows.first);
  writer.loop(i32(0), count.code, width, () => {
    call(stepped(get(at), step, tile.rows), i32(width / tile.rows), tile.rows * step);
    writer.line(set(at, `(i32.add ${get(at)} ${i32(width * step + jump)})`));
  });
}

/** One call for each tile, whose pixels may lie in several image rows. */
function pixelTiles(
  writer: FunctionWriter,
  rows: Extract<Rows, { kind: "pixels" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const { width, step, jump } = rows;
  const at = writer.bind("i32", rows.first);
  const column = writer.bind("i32", i32(0));
  const take = (): Code => {
    const pixel = get(writer.bind("i32", get(at)));
    const next = get(writer.bind("i32", `(i32.add ${get(column)} ${i32(1)})`));
    const ends = get(writer.bind("i32", `(i32.eq ${next} ${i32(width)})`));
    writer.line(set(at, `(i32.add ${pixel} (select ${i32(step + jump)} ${i32(step)} ${ends}))`));
    writer.line(set(column, `(select ${i32(0)} ${next} ${ends})`));
    return pixel;
  };
  const tileOf = (height: number): void => call(Array.from({ length: height }, take), i32(1), 0);
  if (count.values.some((n) => n >= tile.rows))
    writer.loop(i32(tile.rows - 1), count.code, tile.rows, () => tileOf(tile.rows));
  forRests(writer, count, tile, tileOf);
}

/** What is left below whole tiles, for every count that may occur. */
function forRests(writer: FunctionWriter, count: Count, tile: TilePlan, body: (rest: number) => void): void {
  const rests = new Set(count.values.map((n) => n % tile.rows));
  for (const rest of rests) {
    if (rest === 0) continue;
    if (count.values.length === 1) body(rest);
    else writer.when(`(i32.eq (i32.rem_u ${count.code} ${i32(tile.rows)}) ${i32(rest)})`, () => body(rest));
  }
}

/** Rows of right factors: where the first is, and the bytes from one to the next. */
export interface RightFactors {
  readonly address: Code;
  readonly step: number;
}

/** Bytes of a 256-bit load. */
const LOAD_BYTES = 32;

/** Whether loads from these rows would straddle cache lines. */
export function straddles(stepBytes: number): boolean {
  return stepBytes % LOAD_BYTES !== 0;
}

/** Copies rows of right factors to scratch memory, so that each starts where a load fits into a cache line. */
export function packRows(
  target: KernelWriter,
  rows: RightFactors,
  count: Code,
  most: number,
  columns: number,
): RightFactors {
  const { writer } = target;
  const vectors = Math.ceil(columns / 4);
  const step = Math.ceil((16 * vectors) / LOAD_BYTES) * LOAD_BYTES;
  const packed = get(writer.bind("i32", target.scratch(step * most)));
  const from = writer.bind("i32", rows.address);
  const to = writer.bind("i32", packed);
  writer.loop(i32(0), count, 1, () => {
    for (let i = 0; i < vectors; i++) {
      writer.line(`(v128.store offset=${16 * i} ${get(to)} (v128.load offset=${16 * i} ${get(from)}))`);
    }
    writer.line(set(from, `(i32.add ${get(from)} ${i32(rows.step)})`));
    writer.line(set(to, `(i32.add ${get(to)} ${i32(step)})`));
  });
  return { address: packed, step };
}

const LINE_BYTES = 64;

/**
 * Reads a word of each cache line of some rows. Tiles walk through their rows so slowly that the processor does
 * not see the next line coming; here it waits for many lines at once.
 */
export function touchRows(target: KernelWriter, first: Code, stepBytes: number, rowBytes: number, count: Code): void {
  const { writer } = target;
  const seen = writer.bind("i32", i32(0));
  const row = writer.bind("i32", first);
  writer.loop(i32(0), count, 1, () => {
    for (let offset = 0; offset < rowBytes; offset += LINE_BYTES) {
      writer.line(set(seen, `(i32.xor ${get(seen)} (i32.load offset=${offset} ${get(row)}))`));
    }
    writer.line(set(row, `(i32.add ${get(row)} ${i32(stepBytes)})`));
  });
  writer.line(`(i32.store ${target.scratch(4)} ${get(seen)})`); // so that the reads are not dropped
}

/** Whether a kernel's result goes to memory as it is. */
export function isPlainStore(stores: readonly Store[]): boolean {
  return stores.length === 1 && stores[0].value.kind === "result";
}

export function isPlainLoad(value: Expression): value is Extract<Expression, { kind: "load" }> {
  return value.kind === "load" && !value.row && value.dtype === "f32";
}
