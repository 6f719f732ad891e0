import type { AttentionGradientKernel, Buffer } from "../../../../compiler/program.ts";
import type { Local } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { f32x4, v128 } from "../../assembly/vector-instructions.ts";
import { Lanes } from "../../emit/lanes.ts";
import type { Vector } from "../../emit/lanes.ts";
import { exponential } from "../../emit/math.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { blockLength, decodeIndices } from "../tasks.ts";
import type { Count } from "../tasks.ts";
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
import type { HeadRows } from "./heads.ts";

/**
 * The gradients of attention (Dao 2023, 2307.08691, algorithm 2): tile by tile of queries, block by block of keys, the
 * weights are computed again from the logarithms of their sums. A task is a head, whose gradients by keys and values grow in
 * the thread's own memory; so no sum depends on how many threads there are.
 */
export function emitAttentionGradient(kernel: AttentionGradientKernel, options: KernelOptions): KernelCode {
  const { shape, scale, byQuery, byKey, byValue } = kernel;
  const { batch, heads, queries, keys, channels } = shape;
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const tiles = planQueries(queries, options.wide);
  const { width } = tiles;
  const panels = planPanels(channels, options.wide);
  const padded = paddedColumns(panels);
  const [image, head] = decodeIndices(code, [batch, heads], task);
  const at = { batch: image, head };

  const views = [kernel.query, kernel.key, kernel.value, kernel.cotangent];
  const [query, key, value, cotangent] = views.map((view) => rowsOf(target, view, at));
  const sumsOf = (buffer: Buffer): HeadRows => rowsIn(target, buffer, queries, kernel, 1, at);
  const [logsumexp, delta] = [kernel.logsumexp, kernel.delta].map(sumsOf);
  const place = (floats: number): Local<"i32"> => scratchAt(target, floats);
  const [queriesAcross, cotangentsAcross] = [place(channels * width), place(channels * width)];
  const [queriesAlong, cotangentsAlong] = [place(width * padded), place(width * padded)];
  const [weights, bySimilarity] = [place(KEYS * width), place(KEYS * width)];
  const [logarithms, deltas] = [place(width), place(width)];
  const ownByQuery = place(channels * width);
  const [ownByKey, ownByValue] = [byKey, byValue].map((wanted) => place(wanted ? keys * padded : 0));
  if (byKey) clear(target, ownByKey, keys * padded);
  if (byValue) clear(target, ownByValue, keys * padded);
  for (const along of [queriesAlong, cotangentsAlong]) clear(target, along, width * padded);

  code.countUp(0, queries, tiles.queries, (start) => {
    const count = blockLength(code, queries, tiles.queries, start);
    const copies: readonly [HeadRows, Local<"i32">, Local<"i32">, number][] = [
      [query, queriesAcross, queriesAlong, scale],
      [cotangent, cotangentsAcross, cotangentsAlong, 1],
    ];
    for (const [rows, across, along, factor] of copies) {
      const from = inRows(rowAt(rows, start), rows.step);
      if (count.values.some((n) => n !== width)) clear(target, across, channels * width);
      moveRows(target, from, inColumns(across, width), { rows: count.value, length: channels, factor });
      moveRows(target, from, inRows(along, 4 * padded), { rows: count.value, length: channels, factor });
    }
    for (const [rows, to] of [
      [logsumexp, logarithms],
      [delta, deltas],
    ] as const) {
      moveRows(target, inRows(rowAt(rows, start), rows.step), inColumns(to, width), { rows: count.value, length: 1 });
    }
    if (byQuery) clear(target, ownByQuery, channels * width);

    code.countUp(0, keys, KEYS, (from) => {
      const length = blockLength(code, keys, KEYS, from);
      const similar = (left: HeadRows, right: Local<"i32">, out: Local<"i32">): void =>
        emitTileProduct(target, {
          rows: length,
          inner: channels,
          left: inRows(rowAt(left, from), left.step),
          right,
          panels: tiles.panels,
          out,
          accumulates: false,
        });
      similar(key, queriesAcross, weights);
      if (byQuery || byKey) similar(value, cotangentsAcross, bySimilarity);
      emitWeights(target, { weights, bySimilarity, logarithms, deltas, width }, length);
      /** Adds sums over the tile's queries to what there is of the block's keys. */
      const add = (left: Local<"i32">, right: Local<"i32">, own: Local<"i32">): void =>
        emitTileProduct(target, {
          rows: length,
          inner: count.value,
          left: inRows(left, 4 * width),
          right,
          panels,
          out: i32.add(own, i32.mul(from, 4 * padded)),
          accumulates: true,
        });
      if (byValue) add(weights, cotangentsAlong, ownByValue);
      if (byKey) add(bySimilarity, queriesAlong, ownByKey);
      if (byQuery)
        emitTileProduct(target, {
          rows: { value: channels, values: [channels] },
          inner: length.value,
          left: { address: rowAt(key, from), rowStep: 4, numberStep: key.step },
          right: bySimilarity,
          panels: tiles.panels,
          out: ownByQuery,
          accumulates: true,
        });
    });
    if (byQuery) {
      const result = rowsIn(target, byQuery, queries, kernel, channels, at);
      const to = inRows(rowAt(result, start), result.step);
      moveRows(target, inColumns(ownByQuery, width), to, { rows: count.value, length: channels, factor: scale });
    }
  });
  for (const [buffer, own] of [
    [byKey, ownByKey],
    [byValue, ownByValue],
  ] as const) {
    if (!buffer) continue;
    const result = rowsIn(target, buffer, keys, kernel, channels, at);
    moveRows(target, inRows(own, 4 * padded), inRows(result.address, result.step), { rows: keys, length: channels });
  }
  return target.finish(batch * heads);
}

interface Block {
  /** Similarities, which become weights, [keys, width]. */
  readonly weights: Local<"i32">;
  /** The cotangents of weights, which become those of similarities. */
  readonly bySimilarity: Local<"i32">;
  /** Of each query. */
  readonly logarithms: Local<"i32">;
  readonly deltas: Local<"i32">;
  readonly width: number;
}

/** Vectors of queries that are worked on at a time: V8 merges pairs. */
const PAIR = [0, 16];

/** exp(s - logsumexp), and that times (g v^T - delta). */
function emitWeights({ code }: KernelBuilder, block: Block, keys: Count): void {
  const { weights, bySimilarity, logarithms, deltas, width } = block;
  const lanes = new Lanes(code, 4);
  const [weightsAt, bySimilarityAt] = [code.local("i32"), code.local("i32")];
  code.countUp(0, 4 * width, 32, (offset) => {
    const ofQuery = (place: Local<"i32">): Local<"v128">[] =>
      PAIR.map((bytes) => code.keep(v128.load(i32.add(place, offset), bytes)));
    const [logarithm, delta] = [ofQuery(logarithms), ofQuery(deltas)];
    code.set(weightsAt, i32.add(weights, offset));
    code.set(bySimilarityAt, i32.add(bySimilarity, offset));
    code.countUp(0, keys.value, 1, () => {
      const load = (place: Local<"i32">): Local<"v128">[] => PAIR.map((bytes) => code.keep(v128.load(place, bytes)));
      const store = (place: Local<"i32">, values: readonly Local<"v128">[]): void =>
        PAIR.forEach((bytes, i) => code.emit(v128.store(place, values[i], bytes)));
      const [similarity, byWeight] = [load(weightsAt), load(bySimilarityAt)];
      const weight = PAIR.map((_, i) =>
        code.keep(exponential(lanes, f32x4.sub(similarity[i], logarithm[i])) as Vector),
      );
      const own = PAIR.map((_, i) => code.keep(f32x4.mul(weight[i], f32x4.sub(byWeight[i], delta[i]))));
      store(weightsAt, weight);
      store(bySimilarityAt, own);
      code.increase(weightsAt, 4 * width);
      code.increase(bySimilarityAt, 4 * width);
    });
  });
}
