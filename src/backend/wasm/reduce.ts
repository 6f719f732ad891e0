import { visitExpression } from "../../compiler/program.ts";
import type { Expression, ReduceKernel, ScalarOp } from "../../compiler/program.ts";
import type { Reduction } from "../../tensor/op.ts";
import { identityOf } from "../../tensor/reduction.ts";
import { Evaluator, countUses, registerIndices } from "./evaluator.ts";
import { Inductions } from "./inductions.ts";
import { KernelWriter, splitTasks } from "./kernel.ts";
import type { KernelCode } from "./kernel.ts";
import { Lanes } from "./lanes.ts";
import type { AxisRange } from "./map.ts";
import { emitOp } from "./scalar-ops.ts";
import { canVectorize } from "./vectorize.ts";
import type { Code } from "./writer.ts";
import { get, i32, set } from "./writer.ts";

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
export function emitReduce(kernel: ReduceKernel): KernelCode {
  return new ReduceEmitter(kernel).emit();
}

class ReduceEmitter {
  readonly #kernel: ReduceKernel;
  readonly #target = new KernelWriter();
  readonly #inductions: Inductions;
  readonly #lastKept: number;
  readonly #lastReduced: number;
  readonly #uses: ReadonlyMap<Expression, number>;

  constructor(kernel: ReduceKernel) {
    this.#kernel = kernel;
    this.#lastKept = kernel.kept - 1;
    this.#lastReduced = kernel.axes.length - 1;
    this.#inductions = new Inductions(this.#target.writer);
    this.#uses = countUses([...this.#values, ...kernel.stores.map((store) => store.value)]);
  }

  get #values(): Expression[] {
    return this.#kernel.accumulators.map((accumulator) => accumulator.value);
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

    target.result = [];
    registerIndices(this.#values, this.#inductions, target);
    registerIndices(
      stores.map((store) => store.value),
      this.#inductions,
      { baseOf: (buffer) => target.baseOf(buffer) },
    );
    for (const store of stores) this.#inductions.register(target.baseOf(store.buffer), store.index);
    this.#inductions.start(axes.map((_, axis) => ranges[axis]?.start ?? i32(0)));
    this.#nestKept(0, ranges, byColumn);
    return target.finish(tasks.count);
  }

  #vectorizesColumns(): boolean {
    const { axes, kept, stores } = this.#kernel;
    if (kept === 0 || axes[this.#lastKept] < 4) return false;
    const adjacent = stores.every((store) => store.index.coefficients[this.#lastKept] === 1);
    const roots = [...this.#values, ...stores.map((store) => store.value)];
    return (
      adjacent &&
      canVectorize(roots, this.#lastKept) &&
      this.#adjacentLoads(this.#lastKept) >= this.#adjacentLoads(this.#lastReduced)
    );
  }

  #mostCopies(): number {
    return Math.max(
      1,
      Math.floor(Math.min(MOST_ACCUMULATORS / this.#kernel.accumulators.length, MOST_UNROLLED_NODES / this.#uses.size)),
    );
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
      ] as const)
        this.#blocksUntil(at, end, width, count);
      return 0;
    }
    const vectors = Math.floor(n / 4);
    const blocks = Math.ceil(vectors / most);
    let done = 0;
    for (let block = 0; block < blocks; block++) {
      const count = Math.ceil((vectors - done) / (blocks - block));
      this.#block(4, done * 4, count);
      done += count;
    }
    for (let i = vectors * 4; i < n; i++) this.#block(1, i, 1);
    return 0;
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
    const { accumulators, stores } = this.#kernel;
    const lanes = Array.from({ length: count }, (_, i) => lane + i * width);
    const locals = lanes.map(() => this.#startAccumulators(width));
    this.#nestReduced(this.#kernel.kept, () => {
      lanes.forEach((at, copy) => this.#accumulate(width, this.#lastKept, at, locals[copy]));
    });
    lanes.forEach((at, copy) => {
      this.#target.result = locals[copy];
      const evaluator = new Evaluator(this.#context, { width, axis: this.#lastKept, lane: at });
      for (const store of stores) {
        evaluator.store(
          this.#target.baseOf(store.buffer),
          store.index,
          store.value.dtype,
          evaluator.value(store.value),
        );
      }
    });
    this.#target.result = accumulators.map(() => "");
  }

  get #context(): ConstructorParameters<typeof Evaluator>[0] {
    return { writer: this.#target.writer, inductions: this.#inductions, sources: this.#target, uses: this.#uses };
  }

  #startAccumulators(width: 1 | 4): string[] {
    const { writer } = this.#target;
    const lanes = new Lanes(writer, width);
    return this.#kernel.accumulators.map(({ reduction, dtype }) => {
      const start = identityOf(reduction, dtype);
      return writer.bind(lanes.type[dtype], dtype === "f32" ? lanes.float(start) : lanes.integer(start));
    });
  }

  #accumulate(width: 1 | 4, axis: number, lane: number, locals: readonly string[]): void {
    const evaluator = new Evaluator(this.#context, { width, axis, lane });
    const lanes = new Lanes(this.#target.writer, width);
    this.#kernel.accumulators.forEach(({ reduction, dtype, value }, i) => {
      const codes = [get(locals[i]), evaluator.value(value)];
      this.#target.writer.line(set(locals[i], emitOp(lanes, combine[reduction], { codes, dtype }, dtype)));
    });
  }

  /** Loops over the reduced axes from `axis` on and brings the inductions back to where they were. */
  #nestReduced(axis: number, body: () => void): void {
    const { axes } = this.#kernel;
    if (axis > this.#lastReduced) return body();
    this.#target.writer.loop(i32(0), i32(axes[axis]), 1, () => {
      this.#nestReduced(axis + 1, body);
      this.#inductions.advance([[axis, 1]]);
    });
    this.#inductions.advance([[axis, -axes[axis]]]);
  }

  /** One result, vectorised over its terms where these lie next to each other. */
  #rowResult(): void {
    const { axes, stores } = this.#kernel;
    const last = this.#lastReduced;
    const n = axes[last];
    const vectorizes = n >= 4 && canVectorize(this.#values, last) && this.#adjacentLoads(last) > 0;
    const vectors = vectorizes ? Math.floor(n / 4) : 0;
    const copies = Math.min(4, this.#mostCopies(), Math.max(1, vectors));
    const wide = vectors > 0 ? Array.from({ length: copies }, () => this.#startAccumulators(4)) : [];
    const scalars = this.#startAccumulators(1);
    this.#nestReducedRows(this.#kernel.kept, vectors, wide, scalars);
    for (const locals of wide) this.#gatherLanes(locals, scalars);

    this.#target.result = scalars;
    const evaluator = new Evaluator(this.#context, { width: 1, axis: last, lane: 0 });
    for (const store of stores) {
      evaluator.store(this.#target.baseOf(store.buffer), store.index, store.value.dtype, evaluator.value(store.value));
    }
  }

  #nestReducedRows(
    axis: number,
    vectors: number,
    wide: readonly (readonly string[])[],
    scalars: readonly string[],
  ): void {
    const { axes } = this.#kernel;
    const { writer } = this.#target;
    if (axis < this.#lastReduced) {
      writer.loop(i32(0), i32(axes[axis]), 1, () => {
        this.#nestReducedRows(axis + 1, vectors, wide, scalars);
        this.#inductions.advance([[axis, 1]]);
      });
      this.#inductions.advance([[axis, -axes[axis]]]);
      return;
    }
    const pieces: [width: 1 | 4, count: number, locals: readonly (readonly string[])[]][] = [];
    if (vectors > 0) {
      const rounds = Math.floor(vectors / wide.length);
      pieces.push([4, rounds, wide], [4, vectors - rounds * wide.length, wide.slice(0, 1)]);
    }
    pieces.push([1, axes[axis] - vectors * 4, [scalars]]);
    for (const [width, rounds, locals] of pieces) {
      if (rounds === 0) continue;
      writer.loop(i32(0), i32(rounds), 1, () => {
        locals.forEach((own, copy) => this.#accumulate(width, axis, copy * width, own));
        this.#inductions.advance([[axis, width * locals.length]]);
      });
    }
    this.#inductions.advance([[axis, -axes[axis]]]);
  }

  #gatherLanes(locals: readonly string[], scalars: readonly string[]): void {
    const { writer } = this.#target;
    const lanes = new Lanes(writer, 1);
    this.#kernel.accumulators.forEach(({ reduction, dtype }, i) => {
      const shape = dtype === "f32" ? "f32x4" : "i32x4";
      for (let lane = 0; lane < 4; lane++) {
        const codes = [get(scalars[i]), `(${shape}.extract_lane ${lane} ${get(locals[i])})`];
        writer.line(set(scalars[i], emitOp(lanes, combine[reduction], { codes, dtype }, dtype)));
      }
    });
  }
}
