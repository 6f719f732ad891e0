import type { Affine } from "../../compiler/affine.ts";
import { affineKey } from "../../compiler/affine.ts";
import { childrenOf, visitExpression } from "../../compiler/program.ts";
import type { Expression, Store } from "../../compiler/program.ts";
import { emitOp, literal } from "./scalar-ops.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** Longer code is kept in a name of its own: people can read it, and compilers limit how deep expressions nest. */
const LONGEST_CODE = 90;

/** Where a kernel's expressions are evaluated. */
export interface Point {
  /** The index along every loop axis, as i32. */
  readonly at: readonly Code[];
  /** What a kernel's own result is called, by slot. */
  readonly results?: readonly Code[];
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

/** An affine value as i32. */
export function affineCode({ offset, coefficients }: Affine, at: readonly Code[]): Code {
  const terms = coefficients.flatMap((c, axis) => {
    if (c === 0 || at[axis] === "0") return [];
    return [c === 1 ? at[axis] : `${at[axis]} * ${c}`];
  });
  if (offset !== 0 || terms.length === 0) terms.push(String(offset));
  return terms.join(" + ").replaceAll("+ -", "- ");
}

/** Writes expressions at one point of a kernel's index space, as WGSL. */
export class Evaluator {
  readonly #shader: ShaderWriter;
  readonly #point: Point;
  readonly #uses: ReadonlyMap<Expression, number>;
  #known = new Map<Expression | string, Code>();

  constructor(shader: ShaderWriter, uses: ReadonlyMap<Expression, number>, point: Point) {
    this.#shader = shader;
    this.#uses = uses;
    this.#point = point;
  }

  value(node: Expression): Code {
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    const code = this.#emit(node);
    const isShared = node.kind !== "constant" && (this.#uses.get(node) ?? 0) > 1;
    if (!isShared && code.length < LONGEST_CODE) return code;
    const name = /^\w+$/.test(code) ? code : this.#shader.bind("v", code);
    this.#known.set(node, name);
    return name;
  }

  /** All values are computed before any is stored: a store may overwrite what another value reads. */
  store(stores: readonly Store[]): void {
    const values = stores.map((store) => {
      const code = this.value(store.value);
      return stores.length === 1 || /^\w+$/.test(code) ? code : this.#shader.bind("v", code);
    });
    stores.forEach(({ buffer, index }, i) => this.#shader.store(buffer, this.index(index), values[i]));
  }

  /** An affine value at this point, kept for further uses. */
  index(affine: Affine): Code {
    const code = affineCode(affine, this.#point.at);
    if (/^\w+$/.test(code)) return code;
    const key = affineKey(affine);
    const known = this.#known.get(key) ?? this.#shader.bind("at", code);
    this.#known.set(key, known);
    return known;
  }

  #emit(node: Expression): Code {
    switch (node.kind) {
      case "constant":
        return literal(this.#shader, node.dtype, node.value);
      case "index": {
        const index = this.index(node.index);
        return node.dtype === "bool" ? `(${index} != 0)` : `${node.dtype}(${index})`;
      }
      case "load":
        return this.#load(node);
      case "result": {
        const result = this.#point.results?.[node.slot];
        if (result === undefined) throw new Error("internal: a kernel without a result reads one");
        return result;
      }
      case "within":
        return this.#within(node);
      case "apply": {
        const dtype = node.op.kind === "select" ? node.dtype : node.args[0].dtype;
        return emitOp(this.#shader, node.op, { codes: this.#operands(node.args), dtype }, node.dtype);
      }
    }
  }

  /** Of constants alone WGSL takes the value when it compiles, and refuses what overflows. */
  #operands(args: readonly Expression[]): Code[] {
    const codes = args.map((arg) => this.value(arg));
    return args.every((arg) => arg.kind === "constant") ? codes.map((code) => this.#shader.bind("c", code)) : codes;
  }

  #load(node: Extract<Expression, { kind: "load" }>): Code {
    const index = this.index(node.index);
    if (!node.row) return this.#shader.load(node.buffer, index);
    const { row, stride, rows } = node.row;
    const last = `${rows - 1}${row.dtype === "u32" ? "u" : "i"}`;
    const number = this.#shader.bind("row", `i32(clamp(${this.value(row)}, ${row.dtype}(0), ${last}))`);
    return this.#shader.load(node.buffer, `${index} + ${number} * ${stride}`);
  }

  /** Only the chosen side is evaluated: the other may lie outside of its buffer. */
  #within(node: Extract<Expression, { kind: "within" }>): Code {
    const shader = this.#shader;
    const index = this.index(node.index);
    const name = shader.name("v");
    shader.line(`var ${name}: ${node.dtype};`);
    shader.block(`if (${index} >= ${node.low} && ${index} < ${node.high})`, () => this.#branch(name, node.inside));
    shader.block("else", () => this.#branch(name, node.outside));
    return name;
  }

  /** A branch may use what was computed before it, but what it computes itself stays inside. */
  #branch(name: string, node: Expression): void {
    const outer = this.#known;
    this.#known = new Map(outer);
    this.#shader.line(`${name} = ${this.value(node)};`);
    this.#known = outer;
  }
}
