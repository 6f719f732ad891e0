import type { Affine } from "../../../compiler/affine.ts";
import { affineKey } from "../../../compiler/affine.ts";
import type { Expression, Store } from "../../../compiler/program.ts";
import type { DType } from "../../../tensor/dtype.ts";
import { emitOp, literal } from "./scalar-ops.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** Longer code is kept in a name of its own: people can read it, and compilers limit how deep expressions nest. */
const LONGEST_CODE = 90;

/** Where a kernel's expressions are evaluated. */
export interface Point {
  /** The index along every loop axis, as i32. */
  readonly at: readonly Code[];
  /** Affine values, where they are not to be computed from `at`. */
  readonly index?: ((affine: Affine) => Code) | undefined;
  /** What a kernel's own result is called, by slot. */
  readonly results?: readonly Code[];
  /** The axis along which four neighbours are evaluated at once, as vectors; `at` is then where the first is. */
  readonly vectorAxis?: number | undefined;
}

/** Numbers that mean themselves. Others may follow from sizes, as a mean's divisor does, and its inverse. */
const LITERALS: ReadonlySet<number> = new Set([-2, -1, 0, 1, 2]);
const COMPONENTS = ["x", "y", "z", "w"];
/** Ops whose WGSL is the same for floats and for vectors of them. */
const VECTOR_OPS: ReadonlySet<string> = new Set(["add", "subtract", "multiply", "divide", "negate", "stop_gradient"]);

/** An affine value as i32. */
export function affineCode(affine: Affine, at: readonly Code[], shader: ShaderWriter): Code {
  return affineCoder(affine, shader)(at);
}

/** An affine value at several places, which share the sizes that it needs. */
export function affineCoder({ offset, coefficients }: Affine, shader: ShaderWriter): (at: readonly Code[]) => Code {
  const factors: Code[] = [];
  let constant: Code | undefined;
  return (at) => {
    const terms = coefficients.flatMap((c, axis) => {
      if (c === 0 || at[axis] === "0") return [];
      return [c === 1 ? at[axis] : `${at[axis]} * ${(factors[axis] ??= shader.size(c))}`];
    });
    if (offset !== 0 || terms.length === 0) terms.push((constant ??= shader.size(offset)));
    return terms.join(" + ").replaceAll("+ -", "- ");
  };
}

/** Writes expressions at one point of a kernel's index space, as WGSL. */
export class ExpressionEmitter {
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
    stores.forEach(({ buffer, index }, i) => {
      if (this.#isVector) this.#shader.storeVector(buffer, this.index(index), values[i]);
      else this.#shader.store(buffer, this.index(index), values[i]);
    });
  }

  /** An affine value at this point, kept for further uses. */
  index(affine: Affine): Code {
    const key = affineKey(affine);
    const before = this.#known.get(key);
    if (before !== undefined) return before;
    const code = this.#point.index?.(affine) ?? affineCode(affine, this.#point.at, this.#shader);
    if (/^\w+$/.test(code)) return code;
    const known = this.#shader.bind("at", code);
    this.#known.set(key, known);
    return known;
  }

  get #isVector(): boolean {
    return this.#point.vectorAxis !== undefined;
  }

  #typeOf(dtype: DType): string {
    return this.#isVector ? `vec4<${dtype}>` : dtype;
  }

  #emit(node: Expression): Code {
    switch (node.kind) {
      case "constant": {
        const { dtype, value } = node;
        const isOpen = dtype === "f32" && Number.isFinite(value) && !LITERALS.has(value);
        const code = isOpen ? this.#shader.number(value) : literal(this.#shader, dtype, value);
        return this.#isVector ? `${this.#typeOf(node.dtype)}(${code})` : code;
      }
      case "index":
        return this.#index(node);
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
        const codes = this.#operands(node.args);
        const emit = (own: readonly Code[]): Code => emitOp(this.#shader, node.op, { codes: own, dtype }, node.dtype);
        if (!this.#isVector || (dtype === "f32" && VECTOR_OPS.has(node.op.kind))) return emit(codes);
        const names = codes.map((code) => (/^\w+$/.test(code) ? code : this.#shader.bind("v", code)));
        return `vec4(${COMPONENTS.map((part) => emit(names.map((name) => `${name}.${part}`))).join(", ")})`;
      }
    }
  }

  #index({ index, dtype }: Extract<Expression, { kind: "index" }>): Code {
    const { vectorAxis } = this.#point;
    const first = this.index(index);
    if (vectorAxis === undefined) return dtype === "bool" ? `(${first} != 0)` : `${dtype}(${first})`;
    const step = this.#shader.size(index.coefficients[vectorAxis]);
    const four = `vec4<i32>(${first}) + vec4<i32>(0, 1, 2, 3) * ${step}`;
    return dtype === "bool" ? `((${four}) != vec4<i32>())` : `${this.#typeOf(dtype)}(${four})`;
  }

  /** Of constants alone WGSL takes the value when it compiles, and refuses what overflows. */
  #operands(args: readonly Expression[]): Code[] {
    const codes = args.map((arg) => this.value(arg));
    return args.every((arg) => arg.kind === "constant") ? codes.map((code) => this.#shader.bind("c", code)) : codes;
  }

  #load(node: Extract<Expression, { kind: "load" }>): Code {
    const index = this.index(node.index);
    const { vectorAxis } = this.#point;
    if (vectorAxis !== undefined) {
      if (node.index.coefficients[vectorAxis] === 1) return this.#shader.loadVector(node.buffer, index);
      return `${this.#typeOf(node.dtype)}(${this.#shader.load(node.buffer, index)})`;
    }
    if (!node.row) return this.#shader.load(node.buffer, index);
    const { row, stride, rows } = node.row;
    const last = `${row.dtype}(${this.#shader.size(rows - 1)})`;
    const number = this.#shader.bind("row", `i32(clamp(${this.value(row)}, ${row.dtype}(0), ${last}))`);
    return this.#shader.load(node.buffer, `${index} + ${number} * ${this.#shader.size(stride)}`);
  }

  /** Only the chosen side is evaluated: the other may lie outside of its buffer. */
  #within(node: Extract<Expression, { kind: "within" }>): Code {
    const shader = this.#shader;
    const index = this.index(node.index);
    const name = shader.name("v");
    shader.line(`var ${name}: ${this.#typeOf(node.dtype)};`);
    const [low, high] = [shader.size(node.low), shader.size(node.high)];
    shader.block(`if (${index} >= ${low} && ${index} < ${high})`, () => this.#branch(name, node.inside));
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
