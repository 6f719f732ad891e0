import type { DotKernel, View } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { emitElements } from "./map.ts";
import { KernelWriter, decodeIndices } from "./kernel.ts";
import type { Emission, KernelCode } from "./kernel.ts";
import { paddedColumns, planPanels } from "./micro-kernel.ts";
import { addressAt, blockLength, emitProduct, isPlainStore, packRows, straddles, touchRows } from "./tiles.ts";
import type { Count } from "./tiles.ts";
import { get, i32 } from "../emit/writer.ts";

/** Floats of left factors that a block of rows may take, and of results. */
const LHS_FLOATS = 8192;
const RESULT_FLOATS = 24576;
/** Longer sums run in pieces, so that the factors of one piece stay in the first cache. */
const LONGEST_SUM = 384;
const SUM_PIECE = 128;
/** Rows per block are a multiple of every tile's height. */
const ROW_UNIT = 12;
const FEWEST_TASKS = 8;
/** Operands larger than this come from memory; rows of left factors of this many floats are worth fetching ahead. */
const CACHE_BYTES = 512 * 1024;
const LONG_ROW = 64;
/** Rows of a block that a copy of the right factors has to serve. */
const FEWEST_ROWS_TO_PACK = 24;

export function emitDot(kernel: DotKernel, emission: Emission): KernelCode {
  const turned = turn(kernel, emission);
  const target = new KernelWriter(emission);
  const { writer } = target;
  const { axes, lhs, rhs } = turned ?? kernel;
  const { stores } = kernel;
  const rowAxis = axes.length - 3;
  const [rows, columns, inner] = axes.slice(rowAxis);
  const outer = axes.slice(0, rowAxis);
  const panels = planPanels(columns, emission.wide);
  const padded = paddedColumns(panels);
  const piece = pieceOf(inner);
  const block = turned ? rows : rowsPerBlock(rows, emission.runs * sizeOf(outer), padded, piece);
  const blocks = Math.ceil(rows / block);
  const tasks = sizeOf(outer) * blocks;

  const start = get(writer.bind("i32", `(i32.mul (i32.rem_u (local.get $task) ${i32(blocks)}) ${i32(block)})`));
  const at = decodeIndices(writer, outer, `(i32.div_u (local.get $task) ${i32(blocks)})`);
  const count = blockLength(writer, rows, block, start);
  const direct =
    !turned &&
    isPlainStore(stores) &&
    columns === padded &&
    piece === inner &&
    stores[0].index.coefficients[rowAxis + 1] === 1;
  const outStep = direct ? 4 * stores[0].index.coefficients[rowAxis] : 4 * padded;
  const out = direct
    ? addressAt(get(target.baseOf(stores[0].buffer)), stores[0].index, [...at, start])
    : target.scratch(4 * block * padded);
  const outLocal = get(writer.bind("i32", out));
  const lhsAt = get(writer.bind("i32", addressAt(get(target.baseOf(lhs.buffer)), lhs.index, [...at, start])));
  const rhsAt = get(writer.bind("i32", addressAt(get(target.baseOf(rhs.buffer)), rhs.index, at)));
  const lhsStep = 4 * lhs.index.coefficients[axes.length - 1];
  const rhsStep = 4 * rhs.index.coefficients[axes.length - 1];

  const lhsRowStep = 4 * lhs.index.coefficients[rowAxis];
  const product = (from: string, length: Count, accumulates: boolean): void => {
    const left = get(writer.bind("i32", `(i32.add ${lhsAt} (i32.mul ${from} ${i32(lhsStep)}))`));
    if (4 * lhs.buffer.length > CACHE_BYTES) {
      if (lhsStep === 4 && piece >= LONG_ROW) touchRows(target, left, lhsRowStep, 4 * piece, count.code);
      else if (lhsRowStep === 4 && block >= LONG_ROW) touchRows(target, left, lhsStep, 4 * block, length.code);
    }
    const factors = { address: `(i32.add ${rhsAt} (i32.mul ${from} ${i32(rhsStep)}))`, step: rhsStep };
    // Then these are the left factors that come from memory.
    if (turned && 4 * rhs.buffer.length > CACHE_BYTES)
      touchRows(target, factors.address, rhsStep, 4 * columns, length.code);
    const right =
      straddles(rhsStep) && block >= FEWEST_ROWS_TO_PACK
        ? packRows(target, factors, length.code, piece, columns)
        : factors;
    emitProduct(target, {
      count,
      rows: {
        kind: "strided",
        first: left,
        step: lhsRowStep,
      },
      panels,
      accumulates,
      rhs: right.address,
      out: outLocal,
      outStep,
      inner: {
        lhsStep: i32(lhsStep),
        rhsStep: i32(right.step),
        count: length.code,
        segments: i32(1),
        lhsJump: i32(0),
      },
    });
  };
  if (piece === inner) product(i32(0), { code: i32(inner), values: [inner] }, false);
  else {
    writer.line(`(memory.fill ${outLocal} ${i32(0)} (i32.mul ${count.code} ${i32(outStep)}))`);
    writer.loop(i32(0), i32(inner), piece, (from) =>
      product(get(from), blockLength(writer, inner, piece, get(from)), true),
    );
  }

  if (!direct) {
    const base = writer.bind("i32", `(i32.sub ${outLocal} (i32.mul ${start} ${i32(outStep)}))`);
    // A turned product is turned back as it is stored: it is a single block.
    const places = turned ? [1, padded] : [padded, 1];
    target.result = { base, index: { offset: 0, coefficients: [...outer.map(() => 0), ...places] } };
    const end = `(i32.add ${start} ${count.code})`;
    const rowRange = turned ? [] : [{ start, end: get(writer.bind("i32", end)) }];
    const ranges = [...at.map((code) => ({ start: code })), ...rowRange];
    emitElements(writer, { axes: kernel.axes.slice(0, -1), stores, sources: target, ranges });
  }
  return target.finish(tasks);
}

/**
 * The transposed product, if its columns fill tiles and those of the product itself do not: 128 of them in place of 28.
 * They have to lie side by side, as they do where a transposed image is the left factor.
 */
function turn(kernel: DotKernel, { wide, runs }: Emission): DotKernel | undefined {
  const { axes, batch, lhs, rhs } = kernel;
  const [rows, columns, inner] = axes.slice(-3);
  const isAdjacent = batch === axes.length - 3 && lhs.index.coefficients[batch] === 1;
  const fits = rows * columns <= RESULT_FLOATS && columns * pieceOf(inner) <= LHS_FLOATS;
  if (!isAdjacent || !fits || runs * sizeOf(axes.slice(0, batch)) < FEWEST_TASKS || columns < ROW_UNIT)
    return undefined;
  const filled = (n: number): number => n / paddedColumns(planPanels(n, wide));
  if (filled(rows) <= filled(columns)) return undefined;
  const swap = (list: readonly number[]): number[] => list.with(batch, list[batch + 1]).with(batch + 1, list[batch]);
  const turned = ({ buffer, index }: View): View => ({
    buffer,
    index: { offset: index.offset, coefficients: swap(index.coefficients) },
  });
  return { ...kernel, axes: swap(axes), lhs: turned(rhs), rhs: turned(lhs) };
}

function pieceOf(inner: number): number {
  return inner > LONGEST_SUM ? SUM_PIECE : inner;
}

function rowsPerBlock(rows: number, outer: number, padded: number, piece: number): number {
  const fits = Math.min(RESULT_FLOATS / padded, LHS_FLOATS / piece);
  const enough = Math.ceil((rows * outer) / FEWEST_TASKS);
  const unit = Math.max(1, Math.floor(Math.min(fits, enough) / ROW_UNIT)) * ROW_UNIT;
  return Math.min(rows, unit);
}
