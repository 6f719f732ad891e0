import { valuesOf, visitExpression } from "../../../compiler/program.ts";
import type { Accumulator, Expression, ReduceKernel, ScalarOp, Stage, Store } from "../../../compiler/program.ts";
import type { Reduction } from "../../../tensor/op.ts";
import { identityOf } from "../../../tensor/reduction.ts";
import { Evaluator, countUses, registerIndices } from "../emit/evaluator.ts";
import type { Sources } from "../emit/evaluator.ts";
import { Inductions } from "../emit/inductions.ts";
import { KernelWriter, splitTasks } from "./kernel.ts";
import type { AxisRange, Emission, KernelCode } from "./kernel.ts";
import { Lanes } from "../emit/lanes.ts";
import { emitOp } from "../emit/scalar-ops.ts";
import { canVectorize } from "../emit/vectorize.ts";
import type { Code } from "../emit/writer.ts";
import { get, i32, set } from "../emit/writer.ts";

const TASK_ELEMENTS = 16384;
/** Vector accumulators that stay in registers beside what they are computed from. */
const MOST_ACCUMULATORS = 8;
/** Nodes of all unrolled copies of a kernel's expressions, about. */
const MOST_UNROLLED_NODES = 160;

const combine: Readonly<Record<Reduction, ScalarOp>> = {
  sum: { kind: "add" },
  max: { kind: "maximum" },
  min: { kind: "minimum" },
};

/** Reductions whose results lie next to each other are vectorised over the results, others over the terms. */
export function emitReduce(kernel: ReduceKernel, emission: Emission): KernelCode {
  return new ReduceEmitter(kernel, emission).emit();
}

class ReduceEmitter {
  readonly #kernel: ReduceKernel;
  readonly #accumulators: readonly Accumulator[];
  readonly #target: KernelWriter;
  readonly #inductions: Inductions;
  readonly #lastKept: number;
  readonly #lastReduced: number;
  readonly #uses: ReadonlyMap<Expression, number>;

  constructor(kernel: ReduceKernel, emission: Emission) {
    this.#kernel = kernel;
    this.#target = new KernelWriter(emission);
    this.#accumulators = kernel.stages.flatMap((stage) => stage.accumulators);
    this.#lastKept = kernel.kept - 1;
    this.#lastReduced = kernel.axes.length - 1;
    this.#inductions = new Inductions(this.#target.writer);
    this.#uses = countUses([...this.#values, ...kernel.stores.map((store) => store.value)]);
  }

  /** What is computed for every term. */
  get #values(): Expression[] {
    return this.#kernel.stages.flatMap(valuesOf);
  }

  get #termStores(): Store[] {
    return this.#kernel.stages.flatMap((stage) => stage.stores);
  }

  emit(): KernelCode {
    const { axes, kept, stores } = this.#kernel;
    const target = this.#target;
    const terms = axes.slice(kept).reduce((product, n) => product * n, 1);
    const byColumn = this.#vectorizesColumns();
    // Blocks of columns are only shared out when they are all there is.
    const shared = byColumn && kept > 1 ? axes.slice(0, kept - 1) : axes.slice(0, kept);
    const columns = byColumn && kept > 1 ? axes[this.#lastKept] : 1;
    const tasks = splitTasks(shared, Math.max(1, TASK_ELEMENTS / (terms * columns)));
    const ranges = tasks.decode(target.writer);

    target.result = []; // in locals, which have no index
    registerIndices([...this.#values, ...stores.map((store) => store.value)], this.#inductions, target);
    for (const store of [...this.#termStores, ...stores])
      this.#inductions.register(target.baseOf(store.buffer), store.index);
    this.#inductions.start(axes.map((_, axis) => ranges[axis]?.start ?? i32(0)));
    this.#nestKept(0, ranges, byColumn);
    return target.finish(tasks.count);
  }

  #vectorizesColumns(): boolean {
    const { axes, kept, stores } = this.#kernel;
    if (kept === 0 || axes[this.#lastKept] < 4) return false;
    const adjacent = [...this.#termStores, ...stores].every((store) => store.index.coefficients[this.#lastKept] === 1);
    const roots = [...this.#values, ...stores.map((store) => store.value)];
    const fits = this.#adjacentLoads(this.#lastKept) >= this.#adjacentLoads(this.#lastReduced);
    return adjacent && canVectorize(roots, this.#lastKept) && fits;
  }

  #mostCopies(): number {
    const most = Math.min(MOST_ACCUMULATORS / this.#accumulators.length, MOST_UNROLLED_NODES / this.#uses.size);
    return Math.max(1, Math.floor(most));
  }

  #adjacentLoads(axis: number): number {
    let count = 0;
    const seen = new Set<Expression>();
    for (const root of this.#values) {
      visitExpression(root, (node) => node.kind === "load" && node.index.coefficients[axis] === 1 && count++, seen);
    }
    return count;
  }

  #nestKept(axis: number, ranges: readonly AxisRange[], byColumn: boolean): number {
    const { kept, axes } = this.#kernel;
    if (byColumn && axis === this.#lastKept) return this.#columns(ranges[axis]);
    if (axis >= kept) {
      this.#rowResult();
      return 0;
    }
    const range = ranges[axis];
    if (range && range.end === undefined) {
      this.#nestKept(axis + 1, ranges, byColumn);
      return 0;
    }
    this.#target.writer.loop(range?.start ?? i32(0), range?.end ?? i32(axes[axis]), 1, () => {
      const moved = this.#nestKept(axis + 1, ranges, byColumn);
      this.#inductions.advance([
        [axis, 1],
        [axis + 1, axis + 1 < kept ? -moved : 0],
      ]);
    });
    return axes[axis];
  }

  /** Results along the last kept axis, in blocks of vectors; returns how far the inductions moved. */
  #columns(range: AxisRange | undefined): number {
    const n = this.#kernel.axes[this.#lastKept];
    const most = this.#mostCopies();
    if (range) {
      const { start, end = `(i32.add ${start} (i32.const 1))` } = range;
      const at = this.#target.writer.bind("i32", start);
      for (const [width, count] of [
        [4, most],
        [4, 1],
        [1, 1],
      ] as const) {
        this.#blocksUntil(at, end, width, count);
      }
      return 0;
    }
    const vectors = Math.floor(n / 4);
    const count = Math.ceil(vectors / Math.max(1, Math.ceil(vectors / most)));
    const rounds = Math.floor(vectors / count);
    let moved = 0;
    if (rounds > 1) {
      this.#target.writer.loop(i32(0), i32(rounds), 1, () => {
        this.#block(4, 0, count);
        this.#inductions.advance([[this.#lastKept, 4 * count]]);
      });
      moved = 4 * rounds * count;
    }
    const rest = vectors - moved / 4;
    for (let done = 0; done < rest; done += count) this.#block(4, 4 * done, Math.min(count, rest - done));
    for (let i = 4 * vectors; i < n; i++) this.#block(1, i - moved, 1);
    return moved;
  }

  #blocksUntil(at: string, end: Code, width: 1 | 4, count: number): void {
    const { writer } = this.#target;
    const step = width * count;
    writer.loop(get(at), `(i32.sub ${end} ${i32(step - 1)})`, step, (counter) => {
      this.#block(width, 0, count);
      this.#inductions.advance([[this.#lastKept, step]]);
      writer.line(set(at, `(i32.add ${get(counter)} ${i32(step)})`));
    });
  }

  /** `count` neighbouring vectors (or elements) of results from `lane` on. */
  #block(width: 1 | 4, lane: number, count: number): void {
    const copies = Array.from({ length: count }, (_, i): Copy => {
      const sums = this.#startAccumulators(width);
      return { point: { width, axis: this.#lastKept, lane: lane + i * width }, sums, results: sums };
    });
    for (const stage of this.#kernel.stages) this.#nestReduced(this.#kernel.kept, () => this.#terms(stage, copies));
    for (let i = 0; i < count; i += 2) {
      const pair = copies.slice(i, i + 2).map((copy) => this.#evaluator(copy));
      this.#store(pair, this.#kernel.stores);
    }
  }

  #evaluator({ point, results }: Pick<Copy, "point" | "results">): Evaluator {
    const { writer } = this.#target;
    const sources: Sources = {
      runs: this.#target.runs,
      baseOf: (buffer) => this.#target.baseOf(buffer),
      resultOf: (slot) => ({ local: results[slot] }),
    };
    return new Evaluator({ writer, inductions: this.#inductions, sources, uses: this.#uses }, point);
  }

  /** Stores at several points. V8 merges only vector operations that no store separates, so values come first. */
  #store(evaluators: readonly Evaluator[], stores: readonly Store[]): void {
    const values = evaluators.map((evaluator) => stores.map(({ value }) => evaluator.keep(value)));
    stores.forEach(({ buffer, index, value }, i) => {
      evaluators.forEach((evaluator, at) =>
        evaluator.store(this.#target.baseOf(buffer), index, value.dtype, values[at][i]),
      );
    });
  }

  /** One local per accumulator, by slot. */
  #startAccumulators(width: 1 | 4): string[] {
    const { writer } = this.#target;
    const lanes = new Lanes(writer, width);
    const locals: string[] = [];
    for (const { slot, reduction, dtype } of this.#accumulators) {
      const start = identityOf(reduction, dtype);
      locals[slot] = writer.bind(lanes.type[dtype], dtype === "f32" ? lanes.float(start) : lanes.integer(start));
    }
    return locals;
  }

  /** Adds terms to a stage's accumulators, and stores what it stores; two vectors at a time, since V8 merges pairs. */
  #terms(stage: Stage, copies: readonly Copy[]): void {
    for (let i = 0; i < copies.length; i += 2) {
      const evaluators = copies.slice(i, i + 2).map((copy) => {
        const evaluator = this.#evaluator(copy);
        for (const { slot, reduction, dtype, value } of stage.accumulators) {
          this.#combine(copy.point.width, { reduction, dtype }, copy.sums[slot], evaluator.value(value));
        }
        return evaluator;
      });
      this.#store(evaluators, stage.stores);
    }
  }

  #combine(
    width: 1 | 4,
    { reduction, dtype }: Pick<Accumulator, "reduction" | "dtype">,
    sum: string,
    value: Code,
  ): void {
    const { writer } = this.#target;
    const codes = [get(sum), value];
    writer.line(set(sum, emitOp(new Lanes(writer, width), combine[reduction], { codes, dtype }, dtype)));
  }

  /** Loops over the reduced axes from `axis` on and brings the inductions back to where they were. */
  #nestReduced(axis: number, body: () => void): void {
    const { axes } = this.#kernel;
    if (axis > this.#lastReduced) {
      body();
      return;
    }
    this.#target.writer.loop(i32(0), i32(axes[axis]), 1, () => {
      this.#nestReduced(axis + 1, body);
      this.#inductions.advance([[axis, 1]]);
    });
    this.#inductions.advance([[axis, -axes[axis]]]);
  }

  /** One result, vectorised over its terms where these lie next to each other. */
  #rowResult(): void {
    const last = this.#lastReduced;
    const vectorizes = canVectorize(this.#values, last) && this.#adjacentLoads(last) > 0;
    const adjacent = this.#termStores.every((store) => store.index.coefficients[last] === 1);
    const vectors = vectorizes && adjacent ? Math.floor(this.#kernel.axes[last] / 4) : 0;
    const copies = vectors > 0 ? Math.min(4, this.#mostCopies(), vectors) : 0;
    const wide = Array.from({ length: copies }, () => this.#startAccumulators(4));
    const sums = this.#startAccumulators(1);
    const row: RowSums = { vectors, wide, sums, splats: [] };
    for (const stage of this.#kernel.stages) {
      this.#nestRow(this.#kernel.kept, stage, row);
      for (const accumulator of stage.accumulators) this.#gatherLanes(accumulator, row);
    }
    this.#store([this.#evaluator({ point: { width: 1, axis: last, lane: 0 }, results: sums })], this.#kernel.stores);
  }

  #nestRow(axis: number, stage: Stage, row: RowSums): void {
    const { axes } = this.#kernel;
    const { writer } = this.#target;
    if (axis < this.#lastReduced) {
      writer.loop(i32(0), i32(axes[axis]), 1, () => {
        this.#nestRow(axis + 1, stage, row);
        this.#inductions.advance([[axis, 1]]);
      });
      this.#inductions.advance([[axis, -axes[axis]]]);
      return;
    }
    const { vectors, wide, sums, splats } = row;
    const passes = (rounds: number, width: 1 | 4, copies: readonly (readonly string[])[]): void => {
      if (rounds === 0) return;
      writer.loop(i32(0), i32(rounds), 1, () => {
        const results = width === 4 ? splats : sums;
        const copyAt = (own: readonly string[], i: number): Copy => ({
          point: { width, axis, lane: i * width },
          sums: own,
          results,
        });
        this.#terms(stage, copies.map(copyAt));
        this.#inductions.advance([[axis, width * copies.length]]);
      });
    };
    const rounds = vectors > 0 ? Math.floor(vectors / wide.length) : 0;
    passes(rounds, 4, wide);
    passes(vectors - rounds * wide.length, 4, wide.slice(0, 1));
    passes(axes[axis] - vectors * 4, 1, [sums]);
    this.#inductions.advance([[axis, -axes[axis]]]);
  }

  /** Brings the vectors' parts of a result together, and keeps it in a vector for later stages. */
  #gatherLanes({ slot, reduction, dtype }: Accumulator, { vectors, wide, sums, splats }: RowSums): void {
    if (vectors === 0) return;
    const { writer } = this.#target;
    const [first, ...others] = wide;
    const vector = first[slot];
    for (const own of others) this.#combine(4, { reduction, dtype }, vector, get(own[slot]));
    for (const lanes of SWAPS)
      this.#combine(4, { reduction, dtype }, vector, `(i8x16.shuffle ${lanes} ${get(vector)} ${get(vector)})`);
    const element = `(${dtype === "f32" ? "f32x4" : "i32x4"}.extract_lane 0 ${get(vector)})`;
    this.#combine(1, { reduction, dtype }, sums[slot], element);
    if (this.#kernel.stages.length > 1)
      splats[slot] = writer.bind("v128", new Lanes(writer, 4).splat(dtype, get(sums[slot])));
  }
}

/** Shuffles that swap the halves of a vector, and neighbouring lanes: after both, all lanes hold what all held. */
const SWAPS = [
  [2, 3, 0, 1],
  [1, 0, 3, 2],
].map((lanes) => lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)).join(" "));

/** Which elements along which axis an evaluator works on. */
type Point = ConstructorParameters<typeof Evaluator>[1];

/** A point with the accumulators that its terms go to, and the finished results of stages before. */
interface Copy {
  readonly point: Point;
  readonly sums: readonly string[];
  readonly results: readonly string[];
}

/** The accumulators of one result that is vectorised over its terms. */
interface RowSums {
  readonly vectors: number;
  /** Several sets, so that additions do not wait for each other. */
  readonly wide: readonly (readonly string[])[];
  readonly sums: readonly string[];
  /** Finished results, four times each. */
  readonly splats: string[];
}
