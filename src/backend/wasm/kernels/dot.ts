import type { DotKernel, View } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import type { Integer } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { addressAt } from "../emit/addresses.ts";
import { splitColumns } from "./blocks.ts";
import { packPanels, prefetchRows, straddles } from "./factors.ts";
import { KernelBuilder } from "./kernel-builder.ts";
import type { KernelCode, KernelOptions } from "./kernel-builder.ts";
import { emitElements } from "./map.ts";
import { paddedColumns, planPanels } from "./panels.ts";
import type { Panel } from "./panels.ts";
import { isPlainStore } from "./plain.ts";
import { blockLength, decodeIndices } from "./tasks.ts";
import type { Count } from "./tasks.ts";
import { emitProduct } from "./tiles.ts";

/**
 * Floats of left factors that a block of rows may take, and of results. They stay in the first cache where one panel of
 * tiles goes over them, else in the second: more rows then share a copy of the right factors.
 */
const LHS_FLOATS_PER_PANEL = 8192;
const LHS_FLOATS = 24576;
const RESULT_FLOATS = 24576;
/** Longer sums run in pieces of at most so many terms, so that a panel's factors of one piece stay in the first cache. */
const LONGEST_SUM = 256;
const SUM_PIECE = 128;
/** Rows per block are a multiple of every tile's height. */
const ROW_UNIT = 12;
const FEWEST_TASKS = 8;
/** Operands larger than this come from memory; rows of left factors of this many floats are worth fetching ahead. */
const CACHE_BYTES = 512 * 1024;
const LONG_ROW = 64;
/**
 * Right factors are copied panel by panel where enough rows use the copy, and rows so many bytes apart would meet in few
 * sets of the first cache, or loads straddle cache lines.
 */
const FEWEST_ROWS_TO_PACK = 24;
const FAR_APART = 1024;

export function emitDot(kernel: DotKernel, options: KernelOptions): KernelCode {
  const transposed = transpose(kernel, options);
  const product = transposed ?? splitColumns(kernel);
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { axes, lhs, rhs } = product;
  const { axes: storeAxes, stores } = transposed ? kernel : product;
  const rowAxis = axes.length - 3;
  const [rows, columns, inner] = axes.slice(rowAxis);
  const outer = axes.slice(0, rowAxis);
  const panels = planPanels(columns, options.wide);
  const padded = paddedColumns(panels);
  const piece = pieceOf(inner);
  const block = transposed ? rows : rowsPerBlock(rows, options.runs * sizeOf(outer), panels, piece);
  const blocks = Math.ceil(rows / block);
  const tasks = sizeOf(outer) * blocks;

  const start = code.keep(i32.mul(i32.rem_u(task, blocks), block));
  const at = decodeIndices(code, outer, i32.div_u(task, blocks));
  const count = blockLength(code, rows, block, start);
  const direct =
    !transposed && isPlainStore(stores) && columns === padded && stores[0].index.coefficients[rowAxis + 1] === 1;
  const outStep = direct ? 4 * stores[0].index.coefficients[rowAxis] : 4 * padded;
  const outAddress = direct
    ? addressAt(target.baseOf(stores[0].buffer), stores[0].index, [...at, start])
    : target.scratch(4 * block * padded);
  const out = code.local("i32", outAddress);
  const lhsAt = code.local("i32", addressAt(target.baseOf(lhs.buffer), lhs.index, [...at, start]));
  const rhsAt = code.local("i32", addressAt(target.baseOf(rhs.buffer), rhs.index, at));
  const lhsStep = 4 * lhs.index.coefficients[axes.length - 1];
  const rhsStep = 4 * rhs.index.coefficients[axes.length - 1];

  const lhsRowStep = 4 * lhs.index.coefficients[rowAxis];
  const scratchBefore = target.scratchBytes;
  const addPiece = (from: Integer, length: Count, accumulates: boolean): void => {
    target.scratchBytes = scratchBefore;
    const left = code.keep(i32.add(lhsAt, i32.mul(from, lhsStep)));
    if (4 * lhs.buffer.length > CACHE_BYTES) {
      if (lhsStep === 4 && piece >= LONG_ROW) prefetchRows(target, left, lhsRowStep, 4 * piece, count.value);
      else if (lhsRowStep === 4 && block >= LONG_ROW) prefetchRows(target, left, lhsStep, 4 * block, length.value);
    }
    const factors = { address: i32.add(rhsAt, i32.mul(from, rhsStep)), step: rhsStep };
    // Then these are the left factors that come from memory.
    if (transposed && 4 * rhs.buffer.length > CACHE_BYTES)
      prefetchRows(target, factors.address, rhsStep, 4 * columns, length.value);
    const packs = block >= FEWEST_ROWS_TO_PACK && (straddles(rhsStep) || rhsStep >= FAR_APART);
    const right = packs ? packPanels(target, factors, length.value, piece, panels) : factors.address;
    emitProduct(target, {
      count,
      rows: {
        kind: "strided",
        first: left,
        step: lhsRowStep,
      },
      panels,
      accumulates,
      rhs: right,
      panelRows: packs ? piece : undefined,
      out,
      outStep,
      inner: {
        lhsStep,
        rhsStep,
        count: length.value,
        segments: 1,
        lhsJump: 0,
      },
    });
  };
  addPiece(0, { value: piece, values: [piece] }, false);
  if (piece < inner)
    code.countUp(piece, inner, piece, (from) => addPiece(from, blockLength(code, inner, piece, from), true));

  if (!direct) {
    const base = code.keep(i32.sub(out, i32.mul(start, outStep)));
    // A transposed product is transposed back as it is stored: it is a single block.
    const places = transposed ? [1, padded] : [padded, 1];
    target.result = { base, index: { offset: 0, coefficients: [...outer.map(() => 0), ...places] } };
    const rowRange = transposed ? [] : [{ start, end: code.keep(i32.add(start, count.value)) }];
    const ranges = [...at.map((index) => ({ start: index })), ...rowRange];
    emitElements(code, { axes: storeAxes.slice(0, -1), stores, sources: target, ranges });
  }
  return target.finish(tasks);
}

/**
 * The transposed product, if its columns fill tiles and those of the product itself do not: 128 of them in place of 28.
 * They have to lie side by side, as they do where a transposed image is the left factor.
 */
function transpose(kernel: DotKernel, { wide, runs }: KernelOptions): DotKernel | undefined {
  const { axes, batch, lhs, rhs } = kernel;
  const [rows, columns, inner] = axes.slice(-3);
  const isAdjacent = batch === axes.length - 3 && lhs.index.coefficients[batch] === 1;
  const fits = rows * columns <= RESULT_FLOATS && columns * pieceOf(inner) <= LHS_FLOATS_PER_PANEL;
  if (!isAdjacent || !fits || runs * sizeOf(axes.slice(0, batch)) < FEWEST_TASKS || columns < ROW_UNIT)
    return undefined;
  const filled = (n: number): number => n / paddedColumns(planPanels(n, wide));
  if (filled(rows) <= filled(columns)) return undefined;
  const swap = (list: readonly number[]): number[] => list.with(batch, list[batch + 1]).with(batch + 1, list[batch]);
  const swapped = ({ buffer, index }: View): View => ({
    buffer,
    index: { offset: index.offset, coefficients: swap(index.coefficients) },
  });
  return { ...kernel, axes: swap(axes), lhs: swapped(rhs), rhs: swapped(lhs) };
}

function pieceOf(inner: number): number {
  return inner > LONGEST_SUM ? Math.ceil(inner / Math.ceil(inner / SUM_PIECE)) : inner;
}

function rowsPerBlock(rows: number, outer: number, panels: readonly Panel[], piece: number): number {
  const lhsFloats = Math.min(LHS_FLOATS, LHS_FLOATS_PER_PANEL * panels.length);
  const fits = Math.min(RESULT_FLOATS / paddedColumns(panels), lhsFloats / piece);
  const enough = Math.ceil((rows * outer) / FEWEST_TASKS);
  const unit = Math.max(1, Math.floor(Math.min(fits, enough) / ROW_UNIT)) * ROW_UNIT;
  return Math.min(rows, unit);
}
