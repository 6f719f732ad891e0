import type { AttentionGradientKernel, Buffer, View } from "../../../../compiler/program.ts";
import type { Integer, Local } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { f32x4, v128 } from "../../assembly/vector-instructions.ts";
import { Lanes } from "../../emit/lanes.ts";
import type { Vector } from "../../emit/lanes.ts";
import { exponential } from "../../emit/math.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import type { Panel } from "../panels.ts";
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
import type { Head, HeadRows, QueryTiles } from "./heads.ts";

/**
 * The gradients of attention (Dao 2023, 2307.08691, algorithm 2): tile by tile of queries, block by block of keys, the
 * weights are computed again from the logarithms of their sums. A task is a head, whose gradients by keys and values grow in
 * the thread's own memory; so no sum depends on how many threads there are.
 */
export function emitAttentionGradient(kernel: AttentionGradientKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  new HeadGradient(kernel, target, options.wide).emit();
  const { batch, heads } = kernel.shape;
  return target.finish(batch * heads);
}

/** The gradients of a head. */
class HeadGradient {
  readonly #kernel: AttentionGradientKernel;
  readonly #target: KernelBuilder;
  readonly #tiles: QueryTiles;
  /** Of a head's channels. */
  readonly #panels: readonly Panel[];
  readonly #padded: number;
  readonly #head: Head;
  readonly #key: HeadRows;
  readonly #value: HeadRows;
  /** A tile of queries and cotangents, both as right factors of similarities and of gradients by keys and values. */
  readonly #queries: TileCopies;
  readonly #cotangents: TileCopies;
  /** Sums of each query of the tile. */
  readonly #sums: readonly { readonly rows: HeadRows; readonly place: Local<"i32"> }[];
  /** Similarities of a block of keys with the tile, which become weights, and the cotangents of those, [keys, width]. */
  readonly #weights: Local<"i32">;
  readonly #bySimilarity: Local<"i32">;
  readonly #byQuery: Local<"i32">;
  /** [all keys, padded] */
  readonly #byKey: Local<"i32">;
  readonly #byValue: Local<"i32">;

  constructor(kernel: AttentionGradientKernel, target: KernelBuilder, wide: boolean) {
    const { batch, heads, queries, keys, channels } = kernel.shape;
    this.#kernel = kernel;
    this.#target = target;
    this.#tiles = planQueries(queries, wide);
    this.#panels = planPanels(channels, wide);
    this.#padded = paddedColumns(this.#panels);
    const [image, head] = decodeIndices(target.code, [batch, heads], target.task);
    this.#head = { batch: image, head };
    const rows = (view: View): HeadRows => rowsOf(target, view, this.#head);
    const { width } = this.#tiles;
    const place = (floats: number): Local<"i32"> => scratchAt(target, floats);
    const copies = (view: View, factor: number): TileCopies => {
      return { rows: rows(view), factor, across: place(channels * width), along: place(width * this.#padded) };
    };
    this.#key = rows(kernel.key);
    this.#value = rows(kernel.value);
    this.#queries = copies(kernel.query, kernel.scale);
    this.#cotangents = copies(kernel.cotangent, 1);
    this.#sums = [kernel.logsumexp, kernel.delta].map((buffer) => {
      return { rows: rowsIn(target, buffer, queries, kernel, 1, this.#head), place: place(width) };
    });
    [this.#weights, this.#bySimilarity] = [place(KEYS * width), place(KEYS * width)];
    this.#byQuery = place(channels * width);
    this.#byKey = place(kernel.byKey ? keys * this.#padded : 0);
    this.#byValue = place(kernel.byValue ? keys * this.#padded : 0);
  }

  emit(): void {
    const { byQuery, byKey, byValue, shape, scale } = this.#kernel;
    const { queries, keys, channels } = shape;
    const [target, tiles] = [this.#target, this.#tiles];
    const { code } = target;
    if (byKey) clear(target, this.#byKey, keys * this.#padded);
    if (byValue) clear(target, this.#byValue, keys * this.#padded);
    for (const { along } of [this.#queries, this.#cotangents]) clear(target, along, tiles.width * this.#padded);
    code.countUp(0, queries, tiles.queries, (start) => {
      const count = blockLength(code, queries, tiles.queries, start);
      this.#copyTile(start, count);
      if (byQuery) clear(target, this.#byQuery, channels * tiles.width);
      code.countUp(0, keys, KEYS, (from) => this.#block(from, blockLength(code, keys, KEYS, from), count));
      if (!byQuery) return;
      const { address, step } = this.#rowsOf(byQuery, queries);
      const to = inRows(rowAt({ address, step }, start), step);
      const columns = inColumns(this.#byQuery, tiles.width);
      moveRows(target, columns, to, { rows: count.value, length: channels, factor: scale });
    });
    for (const [buffer, own] of [[byKey, this.#byKey] as const, [byValue, this.#byValue] as const]) {
      if (!buffer) continue;
      const { address, step } = this.#rowsOf(buffer, keys);
      moveRows(target, inRows(own, 4 * this.#padded), inRows(address, step), { rows: keys, length: channels });
    }
  }

  #rowsOf(result: Buffer, tokens: number): HeadRows {
    return rowsIn(this.#target, result, tokens, this.#kernel, this.#kernel.shape.channels, this.#head);
  }

  #copyTile(start: Integer, count: Count): void {
    const target = this.#target;
    const { channels } = this.#kernel.shape;
    const { width } = this.#tiles;
    for (const { rows, factor, across, along } of [this.#queries, this.#cotangents]) {
      const from = inRows(rowAt(rows, start), rows.step);
      const part = { rows: count.value, length: channels, factor };
      if (count.values.some((n) => n !== width)) clear(target, across, channels * width);
      moveRows(target, from, inColumns(across, width), part);
      moveRows(target, from, inRows(along, 4 * this.#padded), part);
    }
    for (const { rows, place } of this.#sums) {
      const from = inRows(rowAt(rows, start), rows.step);
      moveRows(target, from, inColumns(place, width), { rows: count.value, length: 1 });
    }
  }

  /** What a block of keys adds to all gradients. */
  #block(from: Local<"i32">, length: Count, count: Count): void {
    const { byQuery, byKey, byValue, shape } = this.#kernel;
    const target = this.#target;
    const { width, panels } = this.#tiles;
    const [weights, bySimilarity] = [this.#weights, this.#bySimilarity];
    const similar = (left: HeadRows, right: Local<"i32">, out: Local<"i32">): void =>
      emitTileProduct(target, {
        rows: length,
        inner: shape.channels,
        left: inRows(rowAt(left, from), left.step),
        right,
        panels,
        out,
        accumulates: false,
      });
    similar(this.#key, this.#queries.across, weights);
    if (byQuery || byKey) similar(this.#value, this.#cotangents.across, bySimilarity);
    const [logarithms, deltas] = this.#sums.map(({ place }) => place);
    emitWeights(target, { weights, bySimilarity, logarithms, deltas, width }, length);
    /** Adds sums over the tile's queries to what there is of the block's keys. */
    const add = (left: Local<"i32">, right: Local<"i32">, own: Local<"i32">): void =>
      emitTileProduct(target, {
        rows: length,
        inner: count.value,
        left: inRows(left, 4 * width),
        right,
        panels: this.#panels,
        out: i32.add(own, i32.mul(from, 4 * this.#padded)),
        accumulates: true,
      });
    if (byValue) add(weights, this.#cotangents.along, this.#byValue);
    if (byKey) add(bySimilarity, this.#queries.along, this.#byKey);
    if (!byQuery) return;
    emitTileProduct(target, {
      rows: { value: shape.channels, values: [shape.channels] },
      inner: length.value,
      left: { address: rowAt(this.#key, from), rowStep: 4, numberStep: this.#key.step },
      right: bySimilarity,
      panels,
      out: this.#byQuery,
      accumulates: true,
    });
  }
}

/** Copies of a tile's rows, times a factor: [channels, width] and [width, padded]. */
interface TileCopies {
  readonly rows: HeadRows;
  readonly factor: number;
  readonly across: Local<"i32">;
  readonly along: Local<"i32">;
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
