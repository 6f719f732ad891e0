import type { Affine } from "../../../compiler/affine.ts";
import { affineCode } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import type { TileLoop } from "./operand.ts";

/** An axis along which the index has more than one place. */
interface Digit {
  readonly axis: number;
  readonly size: number;
  /** What is added for a tile, before what is carried. */
  readonly added: number;
  readonly name: Code;
}

/** Where a digit became too large and was carried, as code. */
type Carries = ReadonlyMap<Digit, Code>;

/**
 * An index over some axes that moves on by a tile with every turn of a loop. It is counted up like a number of several
 * digits, as a division by what a compiler does not know, or even by what it knows, takes longer.
 */
export class RunningIndex {
  /** The index along every axis, as i32. */
  readonly at: readonly Code[];
  readonly #shader: ShaderWriter;
  /** The innermost first. */
  readonly #digits: readonly Digit[];
  readonly #sums: { readonly name: Code; readonly affine: Affine }[] = [];

  /** @param first the index in the first tile, flat and as i32 */
  constructor(shader: ShaderWriter, axes: readonly number[], first: Code, { step, atEnd }: TileLoop) {
    this.#shader = shader;
    const start = decode(shader, axes, shader.bind("first", first), "first");
    this.at = start.map((code) => (code === "0" ? code : variable(shader, "digit", code)));
    let rest = step;
    this.#digits = axes
      .map((size, axis): [number, number] => [axis, size])
      .filter(([, size]) => size > 1)
      .toReversed()
      .map(([axis, size]) => {
        const added = rest % size;
        rest = (rest - added) / size;
        return { axis, size, added, name: this.at[axis] };
      });
    atEnd(() => this.#advance());
  }

  /** The variable part of an affine value of the index, which moves on with it. */
  sum(coefficients: readonly number[]): Code {
    const affine = { offset: 0, coefficients };
    const code = affineCode(affine, this.at, this.#shader);
    if (code === "0") return code;
    const name = variable(this.#shader, "step", code);
    this.#sums.push({ name, affine });
    return name;
  }

  #advance(): void {
    const carries = new Map<Digit, Code>();
    this.#digits.forEach((digit, i) => this.#count(digit, i, carries));
    for (const { name, affine } of this.#sums) this.#add(name, affine.coefficients, carries);
  }

  #count(digit: Digit, i: number, carries: Map<Digit, Code>): void {
    const shader = this.#shader;
    const { name, size, added } = digit;
    const carried = i > 0 ? carries.get(this.#digits[i - 1]) : undefined;
    const amount = this.#amount(added, carried === undefined ? [] : [[1, carried]]);
    if (amount === "0") return;
    if (i === this.#digits.length - 1) {
      shader.line(`${name} += ${amount};`);
      return;
    }
    const next = shader.bind("next", `${name} + ${amount}`);
    const most = shader.size(size);
    const carry = shader.bind("carry", `${next} >= ${most}`);
    shader.line(`${name} = select(${next}, ${next} - ${most}, ${carry});`);
    carries.set(digit, carry);
  }

  /** Of a digit that is carried, the sum loses the whole of its axis and wins a step along the next one. */
  #add(name: Code, coefficients: readonly number[], carries: Carries): void {
    let added = 0;
    const changes = this.#digits.flatMap((digit, i): [number, Code][] => {
      added += digit.added * coefficients[digit.axis];
      const carry = carries.get(digit);
      if (carry === undefined) return [];
      return [[coefficients[this.#digits[i + 1].axis] - digit.size * coefficients[digit.axis], carry]];
    });
    const amount = this.#amount(added, changes);
    if (amount !== "0") this.#shader.line(`${name} += ${amount};`);
  }

  /** A sum of a number and of others that count if their conditions hold. */
  #amount(added: number, changes: readonly (readonly [number, Code])[]): Code {
    const shader = this.#shader;
    const own = changes.filter(([change]) => change !== 0);
    if (own.length === 0) return shader.size(added);
    return own
      .map(([change, condition], i) => {
        const before = i === 0 ? added : 0;
        return `select(${shader.size(before)}, ${shader.size(before + change)}, ${condition})`;
      })
      .join(" + ");
  }
}

function variable(shader: ShaderWriter, prefix: string, value: Code): Code {
  const name = shader.name(prefix);
  shader.line(`var ${name} = ${value};`);
  return name;
}
