import { visitExpression, valuesOf } from "../../../compiler/program.ts";
import type { Accumulator, ReduceKernel } from "../../../compiler/program.ts";
import { identityOf } from "../../../tensor/reduction.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { combine, literal } from "../emit/scalar-ops.ts";
import { ShaderWriter } from "../emit/shader.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../emit/shader.ts";

const WORKGROUP = 256;
/** Terms that one invocation should have to add, at least, before others share a result with it. */
const FEWEST_TERMS = 4;

/** How a workgroup's invocations share results and their terms out. */
interface Layout {
  /** Results of one workgroup. */
  readonly results: number;
  /** Invocations for each result. */
  readonly sharers: number;
  /** Whether neighbouring invocations take neighbouring terms of one result, rather than neighbouring results. */
  readonly alongTerms: boolean;
}

/** Reductions: some invocations of a workgroup take turns over a result's terms, then add up what each has. */
export function emitReduce(kernel: ReduceKernel, buffers: ShaderBuffers): Dispatch {
  return new ReduceEmitter(kernel, buffers).emit();
}

class ReduceEmitter {
  readonly #kernel: ReduceKernel;
  readonly #shader: ShaderWriter;
  readonly #layout: Layout;
  readonly #subgroupSize: number;
  readonly #accumulators: readonly Accumulator[];
  readonly #uses: ReturnType<typeof countUses>;

  constructor(kernel: ReduceKernel, buffers: ShaderBuffers) {
    this.#kernel = kernel;
    this.#subgroupSize = buffers.adapter.subgroupSize ?? 1;
    this.#shader = new ShaderWriter(buffers);
    this.#layout = layoutOf(kernel);
    this.#accumulators = kernel.stages.flatMap((stage) => stage.accumulators);
    this.#uses = countUses([...kernel.stages.flatMap(valuesOf), ...kernel.stores.map((store) => store.value)]);
  }

  emit(): Dispatch {
    const { axes, kept, stages, stores } = this.#kernel;
    const { results, sharers, alongTerms } = this.#layout;
    const shader = this.#shader;
    const count = sizeOf(axes.slice(0, kept));
    const [place, sharer] = alongTerms
      ? [`local / ${sharers}`, `local % ${sharers}`]
      : [`local % ${results}`, `local / ${results}`];
    shader.line(`let result = group * ${results} + ${sharers === 1 ? "local" : place};`);
    if (sharers > 1) shader.line(`let sharer = ${sharer};`);
    const keptAt = decode(shader, axes.slice(0, kept), "result");
    for (const { slot, reduction, dtype } of this.#accumulators)
      shader.line(`var sum${slot} = ${literal(shader, dtype, identityOf(reduction, dtype))};`);

    const isPartial = count % results !== 0;
    for (const stage of stages) {
      const terms = (): void => this.#terms(stage, keptAt);
      if (isPartial) shader.block(`if (result < ${count})`, terms);
      else terms();
      if (sharers > 1) for (const accumulator of stage.accumulators) this.#gather(accumulator);
    }

    const conditions = [...(isPartial ? [`result < ${count}`] : []), ...(sharers > 1 ? ["sharer == 0"] : [])];
    const atResult = [...keptAt, ...axes.slice(kept).map(() => "0")];
    const store = (): void => this.#evaluator(atResult).store(stores);
    if (stores.length > 0) {
      if (conditions.length > 0) shader.block(`if (${conditions.join(" && ")})`, store);
      else store();
    }
    const serialSteps = stages.length * Math.ceil(sizeOf(axes.slice(kept)) / sharers);
    return { ...shader.finish("reduce", results * sharers, Math.ceil(count / results)), serialSteps };
  }

  #evaluator(at: readonly Code[]): ExpressionEmitter {
    const results: Code[] = [];
    for (const { slot } of this.#accumulators) results[slot] = `sum${slot}`;
    return new ExpressionEmitter(this.#shader, this.#uses, { at, results });
  }

  /** Every term that falls to this invocation. */
  #terms({ accumulators, stores }: ReduceKernel["stages"][number], keptAt: readonly Code[]): void {
    const shader = this.#shader;
    const { sharers } = this.#layout;
    const reduced = this.#kernel.axes.slice(this.#kernel.kept);
    const head = `for (var term = ${sharers === 1 ? 0 : "sharer"}; term < ${sizeOf(reduced)}; term += ${sharers})`;
    shader.block(head, () => {
      const at = [...keptAt, ...decode(shader, reduced, "term", "j")];
      const evaluator = this.#evaluator(at);
      for (const { slot, reduction, dtype, value } of accumulators)
        shader.line(`sum${slot} = ${combine(shader, reduction, dtype, `sum${slot}`, evaluator.value(value))};`);
      if (stores.length > 0) evaluator.store(stores);
    });
  }

  /** Adds the sharers' parts of a result in a fixed order, and tells all of them the result. */
  #gather(accumulator: Accumulator): void {
    if (this.#layout.alongTerms && this.#subgroupSize > 1) this.#gatherBySubgroups(accumulator);
    else this.#gatherByMemory(accumulator);
  }

  /** Pairs, pairs of pairs and so on; what more sharers than one subgroup have goes through memory. */
  #gatherBySubgroups({ slot, reduction, dtype }: Accumulator): void {
    const shader = this.#shader;
    const { results, sharers } = this.#layout;
    const [sum, run] = [`sum${slot}`, Math.min(sharers, this.#subgroupSize)];
    const add = (value: Code): void => shader.line(`${sum} = ${combine(shader, reduction, dtype, sum, value)};`);
    for (let bits = 1; bits < run; bits *= 2) add(shader.exchange(sum, bits));
    const runs = sharers / run;
    if (runs === 1) return;
    const parts = `parts${slot}`;
    shader.shared(parts, dtype, results * runs);
    shader.line(`if (local % ${run} == 0) { ${parts}[local / ${run}] = ${sum}; }`);
    shader.line("workgroupBarrier();");
    shader.line(`${sum} = ${parts}[local / ${sharers} * ${runs}];`);
    shader.block(`for (var run = 1; run < ${runs}; run++)`, () => add(`${parts}[local / ${sharers} * ${runs} + run]`));
  }

  #gatherByMemory({ slot, reduction, dtype }: Accumulator): void {
    const shader = this.#shader;
    const { results, sharers, alongTerms } = this.#layout;
    const [parts, step] = [`parts${slot}`, alongTerms ? 1 : results];
    shader.shared(parts, dtype, results * sharers);
    shader.line(`${parts}[local] = sum${slot};`);
    shader.line("workgroupBarrier();");
    shader.block(`for (var half = ${sharers / 2}; half > 0; half /= 2)`, () => {
      const other = `${parts}[local + half${step === 1 ? "" : ` * ${step}`}]`;
      shader.line(
        `if (sharer < half) { ${parts}[local] = ${combine(shader, reduction, dtype, `${parts}[local]`, other)}; }`,
      );
      shader.line("workgroupBarrier();");
    });
    shader.line(`sum${slot} = ${parts}[local - sharer${step === 1 ? "" : ` * ${step}`}];`);
  }
}

function layoutOf(kernel: ReduceKernel): Layout {
  const { axes, kept } = kernel;
  const count = sizeOf(axes.slice(0, kept));
  const terms = sizeOf(axes.slice(kept));
  const alongTerms = adjacentLoads(kernel, axes.length - 1) >= adjacentLoads(kernel, kept - 1);
  const most = powerOfTwoUpTo(Math.max(1, Math.floor(terms / FEWEST_TERMS)), WORKGROUP);
  // Across results, a workgroup reads runs of at least so many neighbours.
  const neighbours = alongTerms ? 1 : powerOfTwoUpTo(count, 32);
  const sharers = alongTerms || count < 65536 ? Math.min(most, WORKGROUP / neighbours) : 1;
  return {
    results: Math.max(1, Math.min(WORKGROUP / sharers, powerOfTwoUpTo(2 * count - 1, WORKGROUP))),
    sharers,
    alongTerms,
  };
}

/** Loads whose neighbours in memory are neighbours along an axis. */
function adjacentLoads({ axes, stages }: ReduceKernel, axis: number): number {
  if (axis < 0 || axes[axis] === 1) return -1;
  let count = 0;
  const seen = new Set<unknown>();
  for (const root of stages.flatMap(valuesOf))
    visitExpression(root, (node) => {
      if (node.kind === "load" && !seen.has(node) && node.index.coefficients[axis] === 1) count++;
      seen.add(node);
    });
  return count;
}

function powerOfTwoUpTo(n: number, most: number): number {
  let power = 1;
  while (2 * power <= n && 2 * power <= most) power *= 2;
  return power;
}
