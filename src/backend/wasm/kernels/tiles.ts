import { select } from "../assembly/control-instructions.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import { constantOf } from "../assembly/instruction.ts";
import type { Integer } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { plus } from "../emit/addresses.ts";
import type { KernelBuilder } from "./kernel-builder.ts";
import { callMicroKernel } from "./micro-kernel.ts";
import type { MicroKernelCall } from "./micro-kernel.ts";
import type { Panel, TilePlan } from "./panels.ts";
import type { Count } from "./tasks.ts";

/** Where the rows of left factors of a block lie. */
export type Rows =
  // at equal distances
  | { readonly kind: "strided"; readonly first: Integer; readonly step: number }
  // pixels of image rows: `width` of them at equal distances, then a jump to the next row
  | {
      readonly kind: "pixels";
      readonly first: Integer;
      readonly width: number;
      readonly step: number;
      readonly jump: number;
    };

export interface ProductTiles {
  readonly count: Count;
  readonly rows: Rows;
  readonly panels: readonly Panel[];
  readonly accumulates: boolean;
  readonly rhs: Integer;
  /** Where each panel's right factors lie together, one panel after the other: how many rows of them there is room for. */
  readonly panelRows?: number | undefined;
  readonly out: Integer;
  readonly outStep: number;
  /** The rest of each call. */
  readonly inner: Pick<MicroKernelCall, "lhsStep" | "rhsStep" | "count" | "segments" | "lhsJump">;
}

/** All tiles of a block of rows, panel by panel, so that a panel of right factors stays in the first cache. */
export function emitProduct({ code, microKernels }: KernelBuilder, product: ProductTiles): void {
  const { panelRows } = product;
  for (const { column, tile } of product.panels) {
    const rhs = code.local("i32", plus(product.rhs, 4 * column * (panelRows ?? 1)));
    const rhsStep = panelRows === undefined ? product.inner.rhsStep : 16 * tile.vectors;
    const out = code.local("i32", plus(product.out, 4 * column));
    /** Emits a call for rows at the given addresses, and for as many tiles below, and moves `out` on. */
    const call = (rows: readonly Integer[], tiles: Integer, tileStep: number): void => {
      const { accumulates, inner, outStep } = product;
      const microKernel = microKernels.of({ rows: rows.length, vectors: tile.vectors, accumulates });
      code.emit(callMicroKernel(microKernel, { ...inner, rhsStep, rows, tiles, tileStep, rhs, out, outStep }));
      const bytes = rows.length * outStep;
      code.increase(out, constantOf(tiles) === 1 ? bytes : i32.mul(tiles, bytes));
    };
    const { rows, count } = product;
    if (rows.kind === "strided") stridedTiles(code, rows, count, tile, call);
    else if (rows.width % tile.rows === 0) imageRowTiles(code, rows, count, tile, call);
    else pixelTiles(code, rows, count, tile, call);
  }
}

type Call = (rows: readonly Integer[], tiles: Integer, tileStep: number) => void;

function stepped(first: Integer, step: number, rows: number): Integer[] {
  return Array.from({ length: rows }, (_, i) => plus(first, i * step));
}

/** One call for all whole tiles, one for what is left. */
function stridedTiles(
  code: FunctionBuilder,
  rows: Extract<Rows, { kind: "strided" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const first = code.local("i32", rows.first);
  const tiles = code.keep(i32.div_u(count.value, tile.rows));
  if (count.values.some((n) => n >= tile.rows)) {
    const whole = (): void => call(stepped(first, rows.step, tile.rows), tiles, tile.rows * rows.step);
    if (count.values.every((n) => n >= tile.rows)) whole();
    else code.when(tiles, whole);
  }
  forRests(code, count, tile, (rest) => {
    const below = code.local("i32", plus(first, i32.mul(tiles, tile.rows * rows.step)));
    call(stepped(below, rows.step, rest), 1, 0);
  });
}

/** One call for each image row, which tiles fill. */
function imageRowTiles(
  code: FunctionBuilder,
  rows: Extract<Rows, { kind: "pixels" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const { width, step, jump } = rows;
  const at = code.local("i32", rows.first);
  code.countUp(0, count.value, width, () => {
    call(stepped(at, step, tile.rows), width / tile.rows, tile.rows * step);
    code.increase(at, width * step + jump);
  });
}

/** One call for each tile, whose pixels may lie in several image rows. */
function pixelTiles(
  code: FunctionBuilder,
  rows: Extract<Rows, { kind: "pixels" }>,
  count: Count,
  tile: TilePlan,
  call: Call,
): void {
  const { width, step, jump } = rows;
  const at = code.local("i32", rows.first);
  const column = code.local("i32", 0);
  const take = (): Integer => {
    const pixel = code.keep(at);
    const next = code.keep(i32.add(column, 1));
    const ends = code.keep(i32.eq(next, width));
    code.set(at, i32.add(pixel, select("i32", step + jump, step, ends)));
    code.set(column, select("i32", 0, next, ends));
    return pixel;
  };
  const tileOf = (height: number): void => call(Array.from({ length: height }, take), 1, 0);
  if (count.values.some((n) => n >= tile.rows))
    code.countUp(tile.rows - 1, count.value, tile.rows, () => tileOf(tile.rows));
  forRests(code, count, tile, tileOf);
}

/** What is left below whole tiles, for every count that may occur. */
function forRests(code: FunctionBuilder, count: Count, tile: TilePlan, emit: (rest: number) => void): void {
  const rests = new Set(count.values.map((n) => n % tile.rows));
  for (const rest of rests) {
    if (rest === 0) continue;
    if (count.values.length === 1) emit(rest);
    else code.when(i32.eq(i32.rem_u(count.value, tile.rows), rest), () => emit(rest));
  }
}
