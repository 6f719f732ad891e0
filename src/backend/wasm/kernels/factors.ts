import type { Integer } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { v128 } from "../assembly/vector-instructions.ts";
import { LINE_BYTES, plus } from "../emit/addresses.ts";
import type { KernelBuilder } from "./kernel-builder.ts";
import { paddedColumns } from "./panels.ts";
import type { Panel } from "./panels.ts";

/** Rows of right factors: where the first is, and the bytes from one to the next. */
export interface RightFactors {
  readonly address: Integer;
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
  target: KernelBuilder,
  rows: RightFactors,
  count: Integer,
  most: number,
  columns: number,
): RightFactors {
  const { code } = target;
  const vectors = Math.ceil(columns / 4);
  const step = Math.ceil((16 * vectors) / LOAD_BYTES) * LOAD_BYTES;
  const packed = code.local("i32", target.scratch(step * most));
  const from = code.local("i32", rows.address);
  const to = code.keep(packed);
  code.countUp(0, count, 1, () => {
    for (let i = 0; i < vectors; i++) code.emit(v128.store(to, v128.load(from, 16 * i), 16 * i));
    code.increase(from, rows.step);
    code.increase(to, step);
  });
  return { address: packed, step };
}

/** Copies rows of right factors to scratch memory panel by panel, each of which a tile then walks through from start to end. */
export function packPanels(
  target: KernelBuilder,
  rows: RightFactors,
  count: Integer,
  most: number,
  panels: readonly Panel[],
): Integer {
  const { code } = target;
  const packed = code.local("i32", target.scratch(4 * most * paddedColumns(panels)));
  const from = code.local("i32", rows.address);
  const ends = panels.map(({ column }) => code.local("i32", plus(packed, 4 * column * most)));
  code.countUp(0, count, 1, () => {
    panels.forEach(({ column, tile }, i) => {
      for (let v = 0; v < tile.vectors; v++)
        code.emit(v128.store(ends[i], v128.load(from, 4 * column + 16 * v), 16 * v));
      code.increase(ends[i], 16 * tile.vectors);
    });
    code.increase(from, rows.step);
  });
  return packed;
}

/**
 * Reads a word of each cache line of some rows. Tiles walk through their rows so slowly that the processor does
 * not see the next line coming; here it waits for many lines at once.
 */
export function prefetchRows(
  target: KernelBuilder,
  first: Integer,
  stepBytes: number,
  rowBytes: number,
  count: Integer,
): void {
  const { code } = target;
  const seen = code.local("i32", 0);
  const row = code.local("i32", first);
  code.countUp(0, count, 1, () => {
    for (let offset = 0; offset < rowBytes; offset += LINE_BYTES) {
      code.set(seen, i32.xor(seen, i32.load(row, offset)));
    }
    code.increase(row, stepBytes);
  });
  code.emit(i32.store(target.scratch(4), seen)); // so that the reads are not dropped
}
