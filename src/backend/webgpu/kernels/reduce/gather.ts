import type { Accumulator } from "../../../../compiler/program.ts";
import { combine } from "../../emit/scalar-ops.ts";
import type { Code, ShaderWriter } from "../../emit/shader.ts";
import type { Layout } from "./layout.ts";

/** Parts that each sharer adds up by itself; more are added in a tree. */
const MOST_ALONE = 8;
const COMPONENTS = ["x", "y", "z", "w"];

/** Two parts of a reduction as one, of numbers or of vectors of four that are in names. */
export function combineParts(
  shader: ShaderWriter,
  { reduction, dtype }: Accumulator,
  width: 1 | 4,
  a: Code,
  b: Code,
): Code {
  if (width === 1 || reduction === "sum") return combine(shader, reduction, dtype, a, b);
  const name = /^\w+$/.test(b) ? b : shader.bind("v", b);
  const parts = COMPONENTS.map((part) => combine(shader, reduction, dtype, `${a}.${part}`, `${name}.${part}`));
  return `vec4(${parts.join(", ")})`;
}

/** A vector's four parts as one, in pairs. */
export function combineLanes(shader: ShaderWriter, { reduction, dtype }: Accumulator, four: Code): Code {
  const pair = (a: Code, b: Code): Code => combine(shader, reduction, dtype, a, b);
  return pair(pair(`${four}.x`, `${four}.y`), pair(`${four}.z`, `${four}.w`));
}

/** Adds up what the sharers of a result have, in a fixed order, and tells all of them. */
export class Gather {
  readonly #shader: ShaderWriter;
  readonly #layout: Layout;
  readonly #results: Code;
  readonly #subgroupSize: number;
  /** Of what invocations exchange: a vector where neighbouring results are one. */
  readonly #width: 1 | 4;
  readonly #arrays = new Set<string>();

  /** @param results how many a workgroup has */
  constructor(shader: ShaderWriter, layout: Layout, results: Code, subgroupSize: number) {
    this.#shader = shader;
    this.#layout = layout;
    this.#results = results;
    this.#subgroupSize = subgroupSize;
    this.#width = layout.alongTerms ? 1 : layout.width;
  }

  /** @param sum the name of a variable that has an invocation's part, and then the whole; `place` and `sharer` say which */
  emit(accumulator: Accumulator, sum: string): void {
    const shader = this.#shader;
    const { results, sharers, alongTerms } = this.#layout;
    const add = (value: Code): void =>
      shader.line(`${sum} = ${combineParts(shader, accumulator, this.#width, sum, value)};`);
    // Between one sharer's number and the next.
    const step = alongTerms ? 1 : results;
    const run = Math.max(1, Math.min(sharers, this.#subgroupSize / step));
    for (let bits = 1; bits < run; bits *= 2) add(shader.bind("other", shader.exchange(sum, bits * step)));
    const runs = sharers / run;
    if (runs === 1) return;

    const parts = this.#array(accumulator, results * runs);
    const count = this.#results;
    const store = `${parts}[${run === 1 ? "sharer" : `sharer / ${run}`} * ${count} + place] = ${sum};`;
    shader.line(run === 1 ? store : `if (sharer % ${run} == 0) { ${store} }`);
    shader.line("workgroupBarrier();");
    const alone = shader.anySize(Math.min(runs, MOST_ALONE));
    shader.block(`for (var half = ${shader.anySize(runs / 2)}; half >= ${alone}; half /= 2)`, () => {
      shader.block("if (sharer < half)", () => {
        shader.line(`let mine = sharer * ${count} + place;`);
        const [a, b] = [shader.bind("part", `${parts}[mine]`), shader.bind("part", `${parts}[mine + half * ${count}]`)];
        shader.line(`${parts}[mine] = ${combineParts(shader, accumulator, this.#width, a, b)};`);
      });
      shader.line("workgroupBarrier();");
    });
    shader.line(`${sum} = ${parts}[place];`);
    shader.block(`for (var run = 1; run < ${alone}; run++)`, () => add(`${parts}[run * ${count} + place]`));
  }

  /** Workgroup memory; all sums of a type take turns in one array. */
  #array({ dtype }: Accumulator, length: number): string {
    const name = `parts_${dtype}`;
    if (this.#arrays.has(name)) this.#shader.line("workgroupBarrier();");
    else this.#shader.shared(name, this.#width === 1 ? dtype : `vec4<${dtype}>`, length);
    this.#arrays.add(name);
    return name;
  }
}
