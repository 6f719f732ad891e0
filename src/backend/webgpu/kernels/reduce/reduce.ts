import { valuesOf } from "../../../../compiler/accesses.ts";
import type { Accumulator, ReduceKernel, Stage, Store } from "../../../../compiler/program.ts";
import { identityOf } from "../../../../tensor/reduction.ts";
import { sizeOf } from "../../../../tensor/shape.ts";
import { countUses } from "../../../common/codegen/uses.ts";
import type { Dispatch } from "../../emit/dispatch.ts";
import { ExpressionEmitter } from "../../emit/expression-emitter.ts";
import { decode } from "../../emit/grid.ts";
import { literal } from "../../emit/scalar-ops.ts";
import { ShaderWriter } from "../../emit/shader.ts";
import type { Code, ShaderBuffers } from "../../emit/shader.ts";
import { Sizes } from "../../emit/sizes.ts";
import { Gather, combineLanes, combineParts } from "./gather.ts";
import { layoutOf, loadsOf, serialStepsOf, unrolledOf } from "./layout.ts";
import type { Layout } from "./layout.ts";

/** Reductions: some invocations of a workgroup take turns over a result's terms, then add up what each has. */
export function emitReduce(kernel: ReduceKernel, buffers: ShaderBuffers): Dispatch {
  return new ReduceEmitter(kernel, buffers).emit();
}

class ReduceEmitter {
  readonly #kernel: ReduceKernel;
  readonly #shader: ShaderWriter;
  readonly #layout: Layout;
  readonly #share: Share;
  readonly #gather: Gather;
  readonly #accumulators: readonly Accumulator[];
  readonly #uses: ReturnType<typeof countUses>;

  constructor(kernel: ReduceKernel, buffers: ShaderBuffers) {
    this.#kernel = kernel;
    this.#layout = layoutOf(kernel);
    this.#shader = new ShaderWriter(buffers, this.#layout.vectors, new Sizes());
    this.#share = shareOf(this.#shader, this.#layout);
    this.#gather = new Gather(this.#shader, this.#layout, this.#share.results, buffers.adapter.subgroupSize ?? 1);
    this.#accumulators = kernel.stages.flatMap((stage) => stage.accumulators);
    this.#uses = countUses([...kernel.stages.flatMap(valuesOf), ...kernel.stores.map((store) => store.value)]);
  }

  emit(): Dispatch {
    const { axes, kept, stages, stores } = this.#kernel;
    const { results, sharers, alongTerms, workgroups } = this.#layout;
    const shader = this.#shader;
    const units = this.#units(axes.slice(0, kept), !alongTerms);
    const { place, sharer } = this.#share;
    shader.line(`let place = ${place};`);
    shader.line(`let result = group * ${this.#share.results} + place;`);
    shader.line(`let sharer = ${sharer};`);
    const keptAt = this.#decode(units, "result", "i", !alongTerms);
    const isWhole = `result < ${shader.size(sizeOf(units))}`;
    for (const accumulator of this.#accumulators) this.#declare(accumulator, sumOf(accumulator), this.#hasWideResults);

    for (const stage of stages) {
      shader.block(`if (${isWhole})`, () => this.#terms(stage, keptAt));
      for (const accumulator of stage.accumulators) this.#finish(accumulator);
    }

    const atResult = [...keptAt, ...axes.slice(kept).map(() => "0")];
    if (stores.length > 0) shader.block(`if (${isWhole} && sharer == 0)`, () => this.#store(stores, atResult));
    return {
      ...shader.finish("reduce", results * sharers, workgroups),
      serialSteps: serialStepsOf(this.#kernel, this.#layout),
    };
  }

  /** Every term that falls to this invocation, some at a time where there are many. */
  #terms(stage: Stage, keptAt: readonly Code[]): void {
    const shader = this.#shader;
    const { alongTerms, sharers } = this.#layout;
    const step = (times: number): Code => shader.anySize(times * sharers);
    const { accumulators } = stage;
    const units = this.#units(this.#kernel.axes.slice(this.#kernel.kept), alongTerms);
    const count = shader.size(sizeOf(units));
    const unrolled = unrolledOf(this.#layout, accumulators.length, loadsOf(this.#kernel, this.#layout));
    const sumsOf = (i: number) => (accumulator: Accumulator) =>
      i === 0 ? this.#partOf(accumulator) : `${this.#partOf(accumulator)}_${i}`;
    const others = Array.from({ length: unrolled - 1 }, (_, i) => sumsOf(i + 1));
    const term = (name: Code, sum: (accumulator: Accumulator) => string): void =>
      this.#term(stage, [...keptAt, ...this.#decode(units, name, "j", alongTerms)], sum);

    for (const sum of this.#isWide ? [sumsOf(0), ...others] : others)
      for (const accumulator of accumulators) this.#declare(accumulator, sum(accumulator), this.#layout.width === 4);
    shader.line("var term = sharer;");
    if (unrolled > 1) {
      shader.block(`for (; term + ${step(unrolled - 1)} < ${count}; term += ${step(unrolled)})`, () => {
        term("term", sumsOf(0));
        others.forEach((sum, i) => term(shader.bind("term", `term + ${step(i + 1)}`), sum));
      });
    }
    shader.block(`for (; term < ${count}; term += ${step(1)})`, () => term("term", sumsOf(0)));
    for (const accumulator of accumulators) {
      const part = this.#partOf(accumulator);
      for (const sum of others)
        shader.line(`${part} = ${combineParts(shader, accumulator, this.#layout.width, part, sum(accumulator))};`);
      if (this.#isWide) shader.line(`${sumOf(accumulator)} = ${combineLanes(shader, accumulator, part)};`);
    }
  }

  #term({ accumulators, stores }: Stage, at: readonly Code[], sum: (accumulator: Accumulator) => string): void {
    const shader = this.#shader;
    const evaluator = this.#evaluator(at, this.#layout.width === 4);
    for (const accumulator of accumulators) {
      const value = evaluator.value(accumulator.value);
      const own = sum(accumulator);
      shader.line(`${own} = ${combineParts(shader, accumulator, this.#layout.width, own, value)};`);
    }
    if (stores.length > 0) evaluator.store(stores);
  }

  /** Where several share a result, the parts of all of them. */
  #finish(accumulator: Accumulator): void {
    if (this.#layout.sharers > 1) this.#gather.emit(accumulator, sumOf(accumulator));
  }

  #store(stores: readonly Store[], at: readonly Code[]): void {
    this.#evaluator(at, this.#hasWideResults).store(stores);
  }

  #evaluator(at: readonly Code[], isVector: boolean): ExpressionEmitter {
    const { alongTerms } = this.#layout;
    const results: Code[] = [];
    for (const accumulator of this.#accumulators) {
      const sum = sumOf(accumulator);
      results[accumulator.slot] = isVector && alongTerms ? `vec4<${accumulator.dtype}>(${sum})` : sum;
    }
    const { axes, kept } = this.#kernel;
    const axis = alongTerms ? axes.length - 1 : kept - 1;
    return new ExpressionEmitter(this.#shader, this.#uses, { at, results, vectorAxis: isVector ? axis : undefined });
  }

  /** Whether an invocation's part of one result is a vector. */
  get #isWide(): boolean {
    return this.#layout.alongTerms && this.#layout.width === 4;
  }

  /** Whether neighbouring results are one vector. */
  get #hasWideResults(): boolean {
    return !this.#layout.alongTerms && this.#layout.width === 4;
  }

  /** The variable that terms are added to. */
  #partOf(accumulator: Accumulator): string {
    return this.#isWide ? `four${accumulator.slot}` : sumOf(accumulator);
  }

  /** A variable that no term has been added to. */
  #declare({ reduction, dtype }: Accumulator, name: string, isVector: boolean): void {
    const identity = literal(this.#shader, dtype, identityOf(reduction, dtype));
    this.#shader.line(`var ${name} = ${isVector ? `vec4<${dtype}>(${identity})` : identity};`);
  }

  /** Axes with their last one in vectors, where it is that which they are along. */
  #units(axes: readonly number[], isAlong: boolean): readonly number[] {
    const { width } = this.#layout;
    return isAlong && width > 1 ? axes.with(axes.length - 1, axes[axes.length - 1] / width) : axes;
  }

  #decode(units: readonly number[], flat: Code, prefix: string, isAlong: boolean): Code[] {
    const { width } = this.#layout;
    const at = decode(this.#shader, units, flat, prefix);
    const last = at.length - 1;
    if (isAlong && width > 1 && at[last] !== "0") at[last] = this.#shader.bind(prefix, `${at[last]} * ${width}`);
    return at;
  }
}

/** What an invocation has a share in, as i32. */
interface Share {
  /** How many results its workgroup has, and which of those is the invocation's. */
  readonly results: Code;
  readonly place: Code;
  /** Which of those it is that share that result. */
  readonly sharer: Code;
}

/** Results and sharers are powers of two, which need not be known to divide by them. */
function shareOf(shader: ShaderWriter, { results, sharers, alongTerms }: Layout): Share {
  const count = shader.anySize(results);
  if (sharers === 1) return { results: count, place: "local", sharer: "0" };
  const inner = alongTerms ? sharers : results;
  const [outerAt, innerAt] = [
    `local >> u32(${shader.anySize(Math.log2(inner))})`,
    `local & ${shader.anySize(inner - 1)}`,
  ];
  return alongTerms
    ? { results: count, place: outerAt, sharer: innerAt }
    : { results: count, place: innerAt, sharer: outerAt };
}

function sumOf({ slot }: Accumulator): string {
  return `sum${slot}`;
}
