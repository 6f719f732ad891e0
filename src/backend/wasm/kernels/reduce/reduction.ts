import { valuesOf } from "../../../../compiler/accesses.ts";
import { visitExpression } from "../../../../compiler/program.ts";
import type { Accumulator, Expression, ReduceKernel, ScalarOp, Stage, Store } from "../../../../compiler/program.ts";
import type { Reduction as ReductionKind } from "../../../../tensor/op.ts";
import { identityOf } from "../../../../tensor/reduction.ts";
import type { FunctionBuilder } from "../../assembly/function-builder.ts";
import type { Computed, Local } from "../../assembly/instruction.ts";
import { countUses } from "../../../common/codegen/uses.ts";
import { ExpressionEmitter, registerIndices } from "../../emit/expression-emitter.ts";
import type { Point } from "../../emit/expression-emitter.ts";
import { InductionVariables } from "../../emit/induction-variables.ts";
import { Lanes } from "../../emit/lanes.ts";
import { emitOp } from "../../emit/scalar-ops.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelOptions } from "../kernel-builder.ts";

/** Vector accumulators that stay in registers beside what they are computed from. */
const MOST_ACCUMULATORS = 8;
/** Nodes of all unrolled copies of a kernel's expressions, about. */
const MOST_UNROLLED_NODES = 160;

const COMBINING_OPS: Readonly<Record<ReductionKind, ScalarOp>> = {
  sum: { kind: "add" },
  max: { kind: "maximum" },
  min: { kind: "minimum" },
};

/** A point of the loops with the accumulators that its terms go to, and the finished results of stages before. */
export interface Copy {
  readonly point: Point;
  readonly sums: readonly Local[];
  readonly results: readonly Local[];
}

/** A reduction's kernel under construction: what its ways of vectorising have in common. */
export class Reduction {
  readonly kernel: ReduceKernel;
  readonly target: KernelBuilder;
  readonly code: FunctionBuilder;
  readonly variables: InductionVariables;
  readonly lastKept: number;
  readonly lastReduced: number;
  readonly #accumulators: readonly Accumulator[];
  readonly #uses: ReadonlyMap<Expression, number>;

  constructor(kernel: ReduceKernel, options: KernelOptions) {
    this.kernel = kernel;
    this.target = new KernelBuilder(options);
    this.code = this.target.code;
    this.variables = new InductionVariables(this.code);
    this.lastKept = kernel.kept - 1;
    this.lastReduced = kernel.axes.length - 1;
    this.#accumulators = kernel.stages.flatMap((stage) => stage.accumulators);
    this.#uses = countUses(this.roots);
  }

  /** What is computed for every term. */
  get values(): Expression[] {
    return this.kernel.stages.flatMap(valuesOf);
  }

  /** Those, and what is computed for every result. */
  get roots(): Expression[] {
    return [...this.values, ...this.kernel.stores.map((store) => store.value)];
  }

  get termStores(): Store[] {
    return this.kernel.stages.flatMap((stage) => stage.stores);
  }

  /** Registers every address and integer that the loops need. */
  registerIndices(): void {
    this.target.result = []; // in locals, which have no index
    registerIndices(this.roots, this.variables, this.target);
    for (const store of [...this.termStores, ...this.kernel.stores])
      this.variables.register(this.target.baseOf(store.buffer), store.index);
  }

  /** How many results, or vectors of terms, are worked on at a time at most. */
  mostCopies(): number {
    const most = Math.min(MOST_ACCUMULATORS / this.#accumulators.length, MOST_UNROLLED_NODES / this.#uses.size);
    return Math.max(1, Math.floor(most));
  }

  adjacentLoads(axis: number): number {
    let count = 0;
    const seen = new Set<Expression>();
    for (const root of this.values) {
      visitExpression(root, (node) => node.kind === "load" && node.index.coefficients[axis] === 1 && count++, seen);
    }
    return count;
  }

  /** One local per accumulator, by slot. */
  startAccumulators(width: 1 | 4): Local[] {
    const lanes = new Lanes(this.code, width);
    const locals: Local[] = [];
    for (const { slot, reduction, dtype } of this.#accumulators) {
      const start = identityOf(reduction, dtype);
      locals[slot] = lanes.let(dtype === "f32" ? lanes.float(start) : lanes.integer(start));
    }
    return locals;
  }

  combine(
    width: 1 | 4,
    { reduction, dtype }: Pick<Accumulator, "reduction" | "dtype">,
    sum: Local,
    value: Computed,
  ): void {
    const combined = emitOp(
      new Lanes(this.code, width),
      COMBINING_OPS[reduction],
      { operands: [sum, value], dtype },
      dtype,
    );
    this.code.set(sum, combined);
  }

  /** Adds terms to a stage's accumulators, and stores what it stores; two vectors at a time, since V8 merges pairs. */
  terms(stage: Stage, copies: readonly Copy[]): void {
    for (let i = 0; i < copies.length; i += 2) {
      const emitters = copies.slice(i, i + 2).map((copy) => {
        const emitter = this.emitterAt(copy);
        for (const { slot, reduction, dtype, value } of stage.accumulators) {
          this.combine(copy.point.width, { reduction, dtype }, copy.sums[slot], emitter.value(value));
        }
        return emitter;
      });
      this.store(emitters, stage.stores);
    }
  }

  /** Stores at several points. V8 merges only vector operations that no store separates, so values come first. */
  store(emitters: readonly ExpressionEmitter[], stores: readonly Store[]): void {
    const values = emitters.map((emitter) => stores.map(({ value }) => emitter.keep(value)));
    stores.forEach(({ buffer, index, value }, i) => {
      emitters.forEach((emitter, at) => emitter.store(this.target.baseOf(buffer), index, value.dtype, values[at][i]));
    });
  }

  emitterAt({ point, results }: Pick<Copy, "point" | "results">): ExpressionEmitter {
    const { target, variables } = this;
    const sources = {
      runs: target.runs,
      baseOf: target.baseOf.bind(target),
      resultOf: (slot: number) => ({ local: results[slot] }),
    };
    return new ExpressionEmitter({ builder: this.code, variables, sources, uses: this.#uses }, point);
  }

  /** Loops over an axis whole, and brings the induction variables back to where they were. */
  loopReduced(axis: number, emit: () => void): void {
    const length = this.kernel.axes[axis];
    this.code.countUp(0, length, 1, () => {
      emit();
      this.variables.advance([[axis, 1]]);
    });
    this.variables.advance([[axis, -length]]);
  }
}
