import type { Affine } from "../../compiler/affine.ts";
import type { Expression, Store } from "../../compiler/program.ts";
import type { KernelWriter } from "./kernel.ts";
import { callMicro, microName } from "./micro-kernel.ts";
import type { MicroCall, Panel, TilePlan } from "./micro-kernel.ts";
import type { Code, FunctionWriter } from "./writer.ts";
import { add, get, i32, multiply, set } from "./writer.ts";

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

/** Gives the addresses of the next rows of left factors, and moves on. */
export interface RowWalk {
  start(writer: FunctionWriter): void;
  take(writer: FunctionWriter, rows: number): Code[];
}

/** Rows at equal distances. */
export function stridedRows(first: Code, stepBytes: number): RowWalk {
  let at = "";
  return {
    start(writer) {
      at = writer.bind("i32", first);
    },
    take(writer, rows) {
      const base = get(writer.bind("i32", get(at)));
      writer.line(set(at, `(i32.add ${get(at)} ${i32(rows * stepBytes)})`));
      return Array.from({ length: rows }, (_, i) => add(base, i32(i * stepBytes)));
    },
  };
}

/** Pixels of an image's rows: `width` of them at equal distances, then a jump to the next row. */
export function pixelRows(first: Code, width: number, stepBytes: number, jumpBytes: number): RowWalk {
  let at = "";
  let column = "";
  const move = (writer: FunctionWriter, pixels: number): void => {
    const next = get(writer.bind("i32", `(i32.add ${get(column)} ${i32(pixels)})`));
    const ends = get(writer.bind("i32", `(i32.eq ${next} ${i32(width)})`));
    writer.line(
      set(
        at,
        `(i32.add ${get(at)} (select ${i32(pixels * stepBytes + jumpBytes)} ${i32(pixels * stepBytes)} ${ends}))`,
      ),
    );
    writer.line(set(column, `(select ${i32(0)} ${next} ${ends})`));
  };
  return {
    start(writer) {
      at = writer.bind("i32", first);
      column = writer.bind("i32", i32(0));
    },
    take(writer, rows) {
      if (width % rows === 0) {
        const base = get(writer.bind("i32", get(at)));
        move(writer, rows);
        return Array.from({ length: rows }, (_, i) => add(base, i32(i * stepBytes)));
      }
      return Array.from({ length: rows }, () => {
        const pixel = get(writer.bind("i32", get(at)));
        move(writer, 1);
        return pixel;
      });
    },
  };
}

export interface ProductTiles {
  readonly rows: Count;
  readonly walk: RowWalk;
  readonly panels: readonly Panel[];
  readonly accumulates: boolean;
  readonly rhs: Code;
  readonly out: Code;
  readonly outStep: number;
  /** The rest of each call. */
  readonly inner: Pick<MicroCall, "lhsStep" | "rhsStep" | "count" | "segments" | "lhsJump" | "rhsJump">;
}

/** All tiles of a block of rows, panel by panel, so that a panel of right factors stays in the first cache. */
export function emitProduct(target: KernelWriter, product: ProductTiles): void {
  const { writer } = target;
  const { rows, walk, panels, accumulates, inner } = product;
  for (const { column, tile } of panels) {
    walk.start(writer);
    const rhs = get(writer.bind("i32", add(product.rhs, i32(4 * column))));
    const out = writer.bind("i32", add(product.out, i32(4 * column)));
    const call = (height: number): void => {
      const shape: TilePlan = { rows: height, vectors: tile.vectors };
      target.calls.add(microName(height, tile.vectors, accumulates));
      writer.line(
        callMicro(shape, accumulates, {
          ...inner,
          rows: walk.take(writer, height),
          rhs,
          out: get(out),
          outStep: i32(product.outStep),
        }),
      );
    };
    if (rows.values.some((count) => count >= tile.rows)) {
      writer.loop(i32(tile.rows - 1), rows.code, tile.rows, () => {
        call(tile.rows);
        writer.line(set(out, `(i32.add ${get(out)} ${i32(tile.rows * product.outStep)})`));
      });
    }
    const rests = new Set(rows.values.map((count) => count % tile.rows).filter((rest) => rest > 0));
    for (const rest of rests) {
      if (rows.values.length === 1) call(rest);
      else writer.when(`(i32.eq (i32.rem_u ${rows.code} ${i32(tile.rows)}) ${i32(rest)})`, () => call(rest));
    }
  }
}

/** Whether a kernel's result goes to memory as it is. */
export function isPlainStore(stores: readonly Store[]): boolean {
  return stores.length === 1 && stores[0].value.kind === "result";
}

export function isPlainLoad(value: Expression): value is Extract<Expression, { kind: "load" }> {
  return value.kind === "load" && !value.row && value.dtype === "f32";
}
