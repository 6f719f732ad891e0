import type { Affine } from "../../../compiler/affine.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type { Buffer, DynamicRow, Expression } from "../../../compiler/program.ts";
import { select } from "../assembly/control-instructions.ts";
import { conditional } from "../assembly/function-builder.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import type { Body, Computed, Integer, Local, Operand, Value } from "../assembly/instruction.ts";
import { f32, i32 } from "../assembly/scalar-instructions.ts";
import { v128 } from "../assembly/vector-instructions.ts";
import type { InductionVariables, Place } from "./induction-variables.ts";
import { Lanes } from "./lanes.ts";
import type { Vector } from "./lanes.ts";
import { emitOp } from "./scalar-ops.ts";

/** Values that nest deeper are kept in locals: what walks through them is recursive. */
const GREATEST_DEPTH = 100;

/** Where a kernel's own result is: in memory, or in a local. */
export type ResultPlace = { readonly base: Local<"i32">; readonly index: Affine } | { readonly local: Local };

/** Where an expression reads from. */
export interface Sources {
  /** How often a program runs what is computed. */
  readonly runs: number;
  /** The local that holds a buffer's address. */
  baseOf(buffer: Buffer): Local<"i32">;
  resultOf?(slot: number): ResultPlace;
}

/** What the expressions of a loop nest share. */
export interface ExpressionContext {
  readonly builder: FunctionBuilder;
  readonly variables: InductionVariables;
  readonly sources: Sources;
  readonly uses: ReadonlyMap<Expression, number>;
}

/**
 * Which elements are computed: one or four along `axis`, from `lane` elements beyond where the induction variables
 * stand, and so many beyond that along another axis.
 */
export interface Point {
  readonly width: 1 | 4;
  readonly axis: number;
  readonly lane: number;
  readonly beside?: { readonly axis: number; readonly at: number };
}

/** Registers every address and integer that the expressions need. */
export function registerIndices(roots: readonly Expression[], variables: InductionVariables, sources: Sources): void {
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (node.kind === "load") variables.register(sources.baseOf(node.buffer), node.index);
    if (node.kind === "index" || node.kind === "within") variables.register(undefined, node.index);
    if (node.kind === "result") {
      const result = sources.resultOf?.(node.slot);
      if (result && "base" in result) variables.register(result.base, result.index);
    }
  };
  for (const root of roots) visitExpression(root, visit, seen);
}

/** Emits the code of expressions at one point of a loop nest. */
export class ExpressionEmitter {
  readonly #context: ExpressionContext;
  readonly #lanes: Lanes;
  readonly #axis: number;
  readonly #point: Point;
  #known = new Map<Expression, Local>();

  constructor(context: ExpressionContext, point: Point) {
    this.#context = context;
    this.#lanes = new Lanes(context.builder, point.width);
    this.#axis = point.axis;
    this.#point = point;
  }

  value(node: Expression): Computed {
    const known = this.#known.get(node);
    if (known) return known;
    const value = this.#emit(node);
    const isShared = node.kind !== "constant" && (this.#context.uses.get(node) ?? 0) > 1;
    if (!isShared && (value.kind === "local" || value.depth < GREATEST_DEPTH)) return value;
    const local = this.#lanes.let(value);
    this.#known.set(node, local);
    return local;
  }

  /** As `value`, but computed here and not where it is used. */
  keep(node: Expression): Local {
    const value = this.value(node);
    return value.kind === "local" ? value : this.#lanes.let(value);
  }

  /** Stores a value that `value` gave. */
  store(base: Local<"i32">, index: Affine, dtype: Expression["dtype"], value: Computed): void {
    const { local, offset } = this.#placeAt(base, index);
    const word = dtype === "bool" ? this.#lanes.toWord(value) : value;
    const { builder } = this.#context;
    if (this.#lanes.isVector) builder.emit(v128.store(local, word as Vector, offset));
    else if (dtype === "f32") builder.emit(f32.store(local, word as Operand<"f32">, offset));
    else builder.emit(i32.store(local, word as Integer, offset));
  }

  #step(index: Affine): number {
    return index.coefficients[this.#axis] ?? 0;
  }

  /** How far an index at this emitter's (first) element is beyond where the induction variables stand. */
  #beyond(index: Affine): number {
    const { lane, beside } = this.#point;
    return lane * this.#step(index) + (beside ? beside.at * (index.coefficients[beside.axis] ?? 0) : 0);
  }

  #placeAt(base: Local<"i32">, index: Affine): Place {
    const { builder, variables } = this.#context;
    const place = variables.place(base, index);
    const offset = place.offset + 4 * this.#beyond(index);
    if (offset >= 0) return { local: place.local, offset };
    return { local: builder.keep(i32.add(place.local, offset)), offset: 0 };
  }

  #emit(node: Expression): Computed {
    const l = this.#lanes;
    switch (node.kind) {
      case "constant":
        if (node.dtype === "f32") return l.float(node.value);
        return node.dtype === "bool" ? l.condition(node.value !== 0) : l.integer(node.value);
      case "index":
        return this.#index(node);
      case "load":
        return this.#load(node);
      case "result":
        return this.#result(node);
      case "within":
        return this.#within(node);
      case "apply": {
        const operands = node.args.map((arg) => this.value(arg));
        const dtype = node.op.kind === "select" ? node.dtype : node.args[0].dtype;
        const constants = node.args.map((arg) => (arg.kind === "constant" ? arg.value : undefined));
        return emitOp(l, node.op, { operands, dtype, constants }, node.dtype);
      }
    }
  }

  /** The value of an affine index at this emitter's (first) element. */
  #integerAt(index: Affine): Computed<"i32"> {
    const place = this.#context.variables.place(undefined, index);
    const offset = place.offset + this.#beyond(index);
    return offset === 0 ? place.local : i32.add(place.local, offset);
  }

  #index(node: Extract<Expression, { kind: "index" }>): Computed {
    const l = this.#lanes;
    const step = this.#step(node.index);
    const first = l.splat("i32", this.#integerAt(node.index));
    const ramp = (): Vector => this.#context.builder.constant(v128.const("i32x4", [0, step, 2 * step, 3 * step]));
    const whole = l.isVector && step !== 0 ? l.i("add", first, ramp()) : first;
    if (node.dtype === "f32") return l.toFloat(whole);
    return node.dtype === "bool" ? l.i("ne", whole, l.integer(0)) : whole;
  }

  #load(node: Extract<Expression, { kind: "load" }>): Computed {
    const l = this.#lanes;
    const { local, offset } = this.#placeAt(this.#context.sources.baseOf(node.buffer), node.index);
    const address = node.row ? i32.add(local, this.#rowOffset(node.row)) : local;
    const word = this.#loadWords(node.dtype, address, offset, this.#step(node.index));
    return node.dtype === "bool" ? l.fromWord(word) : word;
  }

  #loadWords(dtype: Expression["dtype"], address: Computed<"i32">, offset: number, step: number): Value {
    if (!this.#lanes.isVector) return (dtype === "f32" ? f32 : i32).load(address, offset);
    if (step === 1) return v128.load(address, offset);
    if (step === 0) return v128.load32_splat(address, offset);
    const base = this.#context.builder.keep(step > 0 ? address : i32.add(address, 12 * step));
    const offsetOf = (lane: number): number => offset + 4 * (step > 0 ? lane * step : (lane - 3) * step);
    const first: Value<"v128"> = v128.load32_splat(base, offsetOf(0));
    return [1, 2, 3].reduce((vector, lane) => v128.load32_lane(lane, base, vector, offsetOf(lane)), first);
  }

  /** Bytes from a table's start to a computed row, which is the same for all lanes. */
  #rowOffset({ row, stride, rows }: DynamicRow): Value<"i32"> {
    const scalar = this.#lanes.isVector ? this.#scalar(row) : this.value(row);
    const index = this.#context.builder.keep(scalar as Computed<"i32">);
    const last = rows - 1;
    const capped = select("i32", index, last, i32.lt_u(index, last));
    // Negative indices clamp to row 0; as unsigned numbers they are large.
    const clamped = row.dtype === "u32" ? capped : select("i32", 0, capped, i32.lt_s(index, 0));
    return i32.mul(clamped, stride * 4);
  }

  #scalar(node: Expression): Computed {
    return new ExpressionEmitter(this.#context, { ...this.#point, width: 1 }).value(node);
  }

  #result(node: Extract<Expression, { kind: "result" }>): Computed {
    const result = this.#context.sources.resultOf?.(node.slot);
    if (!result) throw new Error("internal: a kernel without a result reads one");
    if ("local" in result) return result.local;
    const { local, offset } = this.#placeAt(result.base, result.index);
    return this.#loadWords(node.dtype, local, offset, this.#step(result.index));
  }

  /** Whether the (first) element lies within the bounds. */
  condition({ index, low, high }: Extract<Expression, { kind: "within" }>): Value<"i32"> {
    const at = this.#integerAt(index);
    return i32.lt_u(low === 0 ? at : i32.sub(at, low), high - low);
  }

  #within(node: Extract<Expression, { kind: "within" }>): Value {
    const type = this.#lanes.type[node.dtype];
    const condition = this.condition(node);
    return conditional(type, condition, this.#branch(node.inside), this.#branch(node.outside));
  }

  /** A branch may use what was computed before it, but what it computes itself stays inside. */
  #branch(node: Expression): Body {
    const outer = this.#known;
    this.#known = new Map(outer);
    let result: Operand = 0;
    const instructions = this.#context.builder.capture(() => {
      result = this.value(node);
    });
    this.#known = outer;
    return { instructions, result };
  }
}
