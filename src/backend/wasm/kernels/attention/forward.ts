import { sizeOf } from "../../../../tensor/shape.ts";
import type { AttentionKernel } from "../../../../compiler/program.ts";
import type { Integer, Local } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { f32x4, v128 } from "../../assembly/vector-instructions.ts";
import { Lanes } from "../../emit/lanes.ts";
import type { Vector } from "../../emit/lanes.ts";
import { exponential, log } from "../../emit/math.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { blockLength, decodeIndices } from "../tasks.ts";
import {
  KEYS,
  clear,
  emitTileProduct,
  inColumns,
  inRows,
  moveRows,
  planQueries,
  rowAt,
  rowsIn,
  rowsOf,
  scratchAt,
} from "./heads.ts";

/**
 * Attention tile by tile of queries, block by block of keys (FlashAttention-2: Dao 2023, 2307.08691, algorithm 1). Each
 * query keeps its largest similarity so far and the sum of exponentials relative to that; when a larger one comes, what is
 * there is scaled down. A task is a tile of a head.
 */
export function emitAttention(kernel: AttentionKernel, options: KernelOptions): KernelCode {
  const { shape, scale } = kernel;
  const { batch, heads, queries, keys, channels } = shape;
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const tiles = planQueries(queries, options.wide);
  const { width, panels } = tiles;
  const start = code.keep(i32.mul(i32.rem_u(task, tiles.count), tiles.queries));
  const count = blockLength(code, queries, tiles.queries, start);
  const [image, head] = decodeIndices(code, [batch, heads], i32.div_u(task, tiles.count));
  const at = { batch: image, head };

  const [query, key, value] = [kernel.query, kernel.key, kernel.value].map((view) => rowsOf(target, view, at));
  const factors = scratchAt(target, channels * width);
  const weights = scratchAt(target, KEYS * width);
  const [sums, blockSums] = [scratchAt(target, channels * width), scratchAt(target, channels * width)];
  const [most, total, shrunk] = [scratchAt(target, width), scratchAt(target, width), scratchAt(target, width)];
  const tile = { sums, blockSums, channels, most, total, shrunk, width };
  if (count.values.some((n) => n !== width)) clear(target, factors, channels * width);
  moveRows(target, inRows(rowAt(query, start), query.step), inColumns(factors, width), {
    rows: count.value,
    length: channels,
    factor: scale,
  });
  clear(target, sums, channels * width);
  clear(target, total, width);
  const none = code.constant(v128.const("f32x4", [-Infinity, -Infinity, -Infinity, -Infinity]));
  code.countUp(0, 4 * width, 16, (offset) => code.emit(v128.store(i32.add(most, offset), none)));

  code.countUp(0, keys, KEYS, (from) => {
    const length = blockLength(code, keys, KEYS, from);
    emitTileProduct(target, {
      rows: length,
      inner: channels,
      left: inRows(rowAt(key, from), key.step),
      right: factors,
      panels,
      out: weights,
      accumulates: false,
    });
    emitWeights(target, tile, weights, length.value);
    emitTileProduct(target, {
      rows: { value: channels, values: [channels] },
      inner: length.value,
      left: { address: rowAt(value, from), rowStep: 4, numberStep: value.step },
      right: weights,
      panels,
      out: blockSums,
      accumulates: false,
    });
    emitSums(target, tile);
  });

  emitMeans(target, tile);
  const result = rowsIn(target, kernel.result, queries, kernel, channels, at);
  const [rows, length] = [count.value, channels];
  moveRows(target, inColumns(sums, width), inRows(rowAt(result, start), result.step), { rows, length });
  if (kernel.logsumexp) {
    const logsumexp = rowsIn(target, kernel.logsumexp, queries, kernel, 1, at);
    moveRows(target, inColumns(most, width), inRows(rowAt(logsumexp, start), logsumexp.step), { rows, length: 1 });
  }
  return target.finish(sizeOf([batch, heads, tiles.count]));
}

/** What is known of a tile's queries. */
interface Tile {
  /** [channels, width], of all blocks so far and of one: no long sum is added up one by one. */
  readonly sums: Local<"i32">;
  readonly blockSums: Local<"i32">;
  readonly channels: number;
  /** Of each query: the largest similarity, the sum of exponentials, and what a block makes of what was there. */
  readonly most: Local<"i32">;
  readonly total: Local<"i32">;
  readonly shrunk: Local<"i32">;
  readonly width: number;
}

/** Vectors of queries that are worked on at a time: V8 merges pairs. */
const PAIR = [0, 16];

/** Makes weights of the similarities to a block of keys, [keys, width]. */
function emitWeights({ code }: KernelBuilder, tile: Tile, weights: Local<"i32">, keys: Integer): void {
  const { most, total, shrunk, width } = tile;
  const lanes = new Lanes(code, 4);
  const row = code.local("i32");
  const [largest, sum] = [PAIR, PAIR].map((pair) => pair.map(() => code.local("v128")));
  /** Goes down the rows of a pair of columns. */
  const down = (offset: Local<"i32">, visit: () => void): void => {
    code.set(row, i32.add(weights, offset));
    code.countUp(0, keys, 1, () => {
      visit();
      code.increase(row, 4 * width);
    });
  };
  code.countUp(0, 4 * width, 32, (offset) => {
    const at = (place: Local<"i32">): Local<"i32"> => code.keep(i32.add(place, offset));
    const [mostAt, totalAt, shrunkAt] = [at(most), at(total), at(shrunk)];
    const before = PAIR.map((bytes) => code.keep(v128.load(mostAt, bytes)));
    PAIR.forEach((_, i) => code.set(largest[i], before[i]));
    down(offset, () => PAIR.forEach((bytes, i) => code.set(largest[i], f32x4.pmax(largest[i], v128.load(row, bytes)))));
    PAIR.forEach((_, i) => code.set(sum[i], v128.const("f32x4", [0, 0, 0, 0])));
    down(offset, () => {
      const similarities = PAIR.map((bytes) => code.keep(v128.load(row, bytes)));
      const powers = PAIR.map((_, i) =>
        code.keep(exponential(lanes, f32x4.sub(similarities[i], largest[i])) as Vector),
      );
      PAIR.forEach((bytes, i) => code.emit(v128.store(row, powers[i], bytes)));
      PAIR.forEach((_, i) => code.set(sum[i], f32x4.add(sum[i], powers[i])));
    });
    PAIR.forEach((bytes, i) => {
      const kept = code.keep(exponential(lanes, f32x4.sub(before[i], largest[i])) as Vector);
      code.emit(v128.store(mostAt, largest[i], bytes));
      code.emit(v128.store(shrunkAt, kept, bytes));
      code.emit(v128.store(totalAt, f32x4.add(f32x4.mul(v128.load(totalAt, bytes), kept), sum[i]), bytes));
    });
  });
}

/** Adds a block's sums to what there is. */
function emitSums({ code }: KernelBuilder, { sums, blockSums, channels, shrunk, width }: Tile): void {
  const [row, blockRow] = [code.local("i32"), code.local("i32")];
  code.countUp(0, 4 * width, 32, (offset) => {
    const kept = PAIR.map((bytes) => code.keep(v128.load(i32.add(shrunk, offset), bytes)));
    code.set(row, i32.add(sums, offset));
    code.set(blockRow, i32.add(blockSums, offset));
    code.countUp(0, channels, 1, () => {
      const added = PAIR.map((bytes, i) =>
        code.keep(f32x4.add(f32x4.mul(v128.load(row, bytes), kept[i]), v128.load(blockRow, bytes))),
      );
      PAIR.forEach((bytes, i) => code.emit(v128.store(row, added[i], bytes)));
      code.increase(row, 4 * width);
      code.increase(blockRow, 4 * width);
    });
  });
}

/** Divides by the totals, and puts the logarithms of the sums of exponentials in place of the largest similarities. */
function emitMeans({ code }: KernelBuilder, { sums, channels, most, total, width }: Tile): void {
  const lanes = new Lanes(code, 4);
  code.countUp(0, 4 * width, 16, (offset) => {
    const mostAt = code.keep(i32.add(most, offset));
    const sum = code.keep(v128.load(i32.add(total, offset)));
    const logarithm = log(lanes, sum) as Vector;
    code.emit(v128.store(mostAt, f32x4.add(v128.load(mostAt), logarithm)));
    const inverse = code.keep(f32x4.div(lanes.float(1) as Vector, sum));
    const column = code.local("i32", i32.add(sums, offset));
    code.countUp(0, channels, 1, () => {
      code.emit(v128.store(column, f32x4.mul(v128.load(column), inverse)));
      code.increase(column, 4 * width);
    });
  });
}
