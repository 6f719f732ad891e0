import type { Affine } from "../../../compiler/affine.ts";
import { childrenOf, visitExpression } from "../../../compiler/program.ts";
import type { Buffer, Expression } from "../../../compiler/program.ts";
import type { Inductions } from "./inductions.ts";
import { Lanes } from "./lanes.ts";
import { emitOp } from "./scalar-ops.ts";
import type { Code, FunctionWriter } from "./writer.ts";
import { get, i32 } from "./writer.ts";

/** Longer code is kept in a local, so that nothing nests deeper than the assembler can follow. */
const LONGEST_CODE = 2000;

/** Where an expression reads from. */
export interface Sources {
  /** How often a program runs what is evaluated. */
  readonly runs: number;
  /** The parameter that holds a buffer's address. */
  baseOf(buffer: Buffer): string;
  /** How a kernel's own result is read: from memory, or from a local that holds it. */
  resultOf?(slot: number): { readonly base: string; readonly index: Affine } | { readonly local: string };
}

/** How many nodes use each node; what several use is computed once. */
export function countUses(roots: readonly Expression[]): Map<Expression, number> {
  const uses = new Map<Expression, number>();
  const seen = new Set<Expression>();
  const count = (node: Expression): void => {
    uses.set(node, (uses.get(node) ?? 0) + 1);
  };
  for (const root of roots) {
    count(root);
    visitExpression(root, (node) => childrenOf(node).forEach(count), seen);
  }
  return uses;
}

/** Registers every address and integer that the expressions need. */
export function registerIndices(roots: readonly Expression[], inductions: Inductions, sources: Sources): void {
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (node.kind === "load") inductions.register(sources.baseOf(node.buffer), node.index);
    if (node.kind === "index" || node.kind === "within") inductions.register(undefined, node.index);
    if (node.kind === "result") {
      const result = sources.resultOf?.(node.slot);
      if (result && "base" in result) inductions.register(result.base, result.index);
    }
  };
  for (const root of roots) visitExpression(root, visit, seen);
}

/**
 * Writes expressions at one point of a loop nest, for one element or for four along `axis`. `lane` is how many
 * elements further along that axis than the inductions stand.
 */
export class Evaluator {
  readonly #writer: FunctionWriter;
  readonly #inductions: Inductions;
  readonly #sources: Sources;
  readonly #uses: ReadonlyMap<Expression, number>;
  readonly #lanes: Lanes;
  readonly #axis: number;
  readonly #lane: number;
  #known = new Map<Expression, Code>();

  constructor(
    context: {
      readonly writer: FunctionWriter;
      readonly inductions: Inductions;
      readonly sources: Sources;
      readonly uses: ReadonlyMap<Expression, number>;
    },
    at: { readonly width: 1 | 4; readonly axis: number; readonly lane: number },
  ) {
    this.#writer = context.writer;
    this.#inductions = context.inductions;
    this.#sources = context.sources;
    this.#uses = context.uses;
    this.#lanes = new Lanes(context.writer, at.width);
    this.#axis = at.axis;
    this.#lane = at.lane;
  }

  value(node: Expression): Code {
    const known = this.#known.get(node);
    if (known) return known;
    const code = this.#emit(node);
    const shared = node.kind !== "constant" && (this.#uses.get(node) ?? 0) > 1;
    if (!shared && code.length < LONGEST_CODE) return code;
    const local = this.#lanes.let(node.dtype, code);
    this.#known.set(node, local);
    return local;
  }

  /** As `value`, but computed here and not where it is used. */
  keep(node: Expression): Code {
    const code = this.value(node);
    return code.startsWith("(local.get") ? code : this.#lanes.let(node.dtype, code);
  }

  /** Stores a value that `value` gave. */
  store(base: string, index: Affine, dtype: Expression["dtype"], value: Code): void {
    const place = this.#placeAt(base, index);
    const word = dtype === "bool" ? this.#lanes.toWord(value) : value;
    const type = this.#lanes.isVector ? "v128" : dtype === "f32" ? "f32" : "i32";
    this.#writer.line(`(${type}.store offset=${place.offset} ${get(place.local)} ${word})`);
  }

  #step(index: Affine): number {
    return index.coefficients[this.#axis] ?? 0;
  }

  #placeAt(base: string, index: Affine): { local: string; offset: number } {
    const place = this.#inductions.place(base, index);
    const offset = place.offset + 4 * this.#lane * this.#step(index);
    if (offset >= 0) return { local: place.local, offset };
    return { local: this.#writer.bind("i32", `(i32.add ${get(place.local)} ${i32(offset)})`), offset: 0 };
  }

  #emit(node: Expression): Code {
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
        const codes = node.args.map((arg) => this.value(arg));
        const dtype = node.op.kind === "select" ? node.dtype : node.args[0].dtype;
        const constants = node.args.map((arg) => (arg.kind === "constant" ? arg.value : undefined));
        return emitOp(l, node.op, { codes, dtype, constants }, node.dtype);
      }
    }
  }

  /** The value of an affine index at this evaluator's (first) element. */
  #integerAt(index: Affine): Code {
    const place = this.#inductions.place(undefined, index);
    const offset = place.offset + this.#lane * this.#step(index);
    return offset === 0 ? get(place.local) : `(i32.add ${get(place.local)} ${i32(offset)})`;
  }

  #index(node: Extract<Expression, { kind: "index" }>): Code {
    const l = this.#lanes;
    const step = this.#step(node.index);
    const first = l.splat("i32", this.#integerAt(node.index));
    const ramp = this.#writer.constant(`(v128.const i32x4 ${[0, 1, 2, 3].map((i) => i * step).join(" ")})`);
    const whole = l.isVector && step !== 0 ? l.i("add", first, ramp) : first;
    if (node.dtype === "f32") return l.toFloat(whole);
    return node.dtype === "bool" ? l.i("ne", whole, l.integer(0)) : whole;
  }

  #load(node: Extract<Expression, { kind: "load" }>): Code {
    const l = this.#lanes;
    const place = this.#placeAt(this.#sources.baseOf(node.buffer), node.index);
    const address = node.row ? `(i32.add ${get(place.local)} ${this.#rowOffset(node.row)})` : get(place.local);
    const word = this.#loadWords(node.dtype, address, place.offset, this.#step(node.index));
    return node.dtype === "bool" ? l.fromWord(word) : word;
  }

  #loadWords(dtype: Expression["dtype"], address: Code, offset: number, step: number): Code {
    if (!this.#lanes.isVector) return `(${dtype === "f32" ? "f32" : "i32"}.load offset=${offset} ${address})`;
    if (step === 1) return `(v128.load offset=${offset} ${address})`;
    if (step === 0) return `(v128.load32_splat offset=${offset} ${address})`;
    const base = get(this.#writer.bind("i32", step > 0 ? address : `(i32.add ${address} ${i32(12 * step)})`));
    const lane = (i: number): number => offset + 4 * (step > 0 ? i * step : (i - 3) * step);
    return [1, 2, 3].reduce(
      (vector, i) => `(v128.load32_lane offset=${lane(i)} ${i} ${base} ${vector})`,
      `(v128.load32_splat offset=${lane(0)} ${base})`,
    );
  }

  /** Bytes from a table's start to a computed row, which is the same for all lanes. */
  #rowOffset({ row, stride, rows }: { row: Expression; stride: number; rows: number }): Code {
    const scalar = this.#lanes.isVector ? this.#scalar(row) : this.value(row);
    const index = get(this.#writer.bind("i32", scalar));
    const last = i32(rows - 1);
    const capped = `(select ${index} ${last} (i32.lt_u ${index} ${last}))`;
    // Negative indices clamp to row 0; as unsigned numbers they are large.
    const clamped = row.dtype === "u32" ? capped : `(select ${i32(0)} ${capped} (i32.lt_s ${index} ${i32(0)}))`;
    return `(i32.mul ${clamped} ${i32(stride * 4)})`;
  }

  #scalar(node: Expression): Code {
    const context = { writer: this.#writer, inductions: this.#inductions, sources: this.#sources, uses: this.#uses };
    return new Evaluator(context, { width: 1, axis: this.#axis, lane: this.#lane }).value(node);
  }

  #result(node: Extract<Expression, { kind: "result" }>): Code {
    const result = this.#sources.resultOf?.(node.slot);
    if (!result) throw new Error("internal: a kernel without a result reads one");
    if ("local" in result) return get(result.local);
    const place = this.#placeAt(result.base, result.index);
    return this.#loadWords(node.dtype, get(place.local), place.offset, this.#step(result.index));
  }

  /** Whether the (first) element lies within the bounds. */
  condition(node: Extract<Expression, { kind: "within" }>): Code {
    const index =
      node.low === 0 ? this.#integerAt(node.index) : `(i32.sub ${this.#integerAt(node.index)} ${i32(node.low)})`;
    return `(i32.lt_u ${index} ${i32(node.high - node.low)})`;
  }

  #within(node: Extract<Expression, { kind: "within" }>): Code {
    const type = this.#lanes.type[node.dtype];
    return `(if (result ${type}) ${this.condition(node)} (then ${this.#branch(node.inside)}) (else ${this.#branch(node.outside)}))`;
  }

  /** A branch may use what was computed before it, but what it computes itself stays inside. */
  #branch(node: Expression): Code {
    const outer = this.#known;
    this.#known = new Map(outer);
    let value = "";
    const lines = this.#writer.capture(() => {
      value = this.value(node);
    });
    this.#known = outer;
    return `${lines}\n${value}`;
  }
}
