import { writesOf } from "../../../compiler/accesses.ts";
import { partsOf, visitExpression } from "../../../compiler/program.ts";
import type { Buffer, Expression, Kernel, Program } from "../../../compiler/program.ts";
import type { Precision } from "../../common/precision.ts";
import { writtenByFours } from "./vectors.ts";

export const WORD_BYTES = 4;

/** How the elements of a program's buffers lie in memory: as words, or two halves (IEEE 754 binary16) to a word. */
export class Storage {
  readonly precision: Precision;
  readonly #halves: ReadonlySet<Buffer>;

  constructor(precision: Precision, halves: Iterable<Buffer> = []) {
    this.precision = precision;
    this.#halves = new Set(halves);
  }

  /** What lies together is all of one kind. */
  isHalf(buffer: Buffer): boolean {
    return this.#halves.has(partsOf(buffer)[0]);
  }

  elementBytes(buffer: Buffer): number {
    return this.isHalf(buffer) ? 2 : WORD_BYTES;
  }

  /** Of so many elements of a buffer's kind: whole vectors of four, and at least one. */
  bytesOf(buffer: Buffer, length = buffer.length): number {
    return Math.max(1, Math.ceil(length / 4)) * 4 * this.elementBytes(buffer);
  }
}

/**
 * Under `f16`, as in Micikevicius et al. (2018, 1710.03740), the results of matrix products, convolutions and attention and what
 * others of them read are stored as halves: those are rounded to halves for the product anyhow. All else that a program
 * keeps stays f32: variables, inputs and outputs, results of reductions, filters' gradients, and what only elementwise work uses.
 */
export function storageOf(
  { buffers, kernels, outputs }: Pick<Program, "buffers" | "kernels" | "outputs">,
  precision: Precision,
): Storage {
  if (precision === "f32") return new Storage(precision);
  const halves = new Set(kernels.flatMap(factorsOf));
  for (const buffer of halves)
    if (buffer.dtype !== "f32" || buffer.source.kind !== "temporary" || outputs.includes(buffer)) halves.delete(buffer);
  // A half has no address of its own, so neighbours have to be written at once.
  for (const kernel of kernels) {
    const fours = writtenByFours(kernel);
    for (const buffer of writesOf(kernel)) if (!fours.includes(buffer)) halves.delete(buffer);
  }
  return new Storage(
    precision,
    buffers.filter((buffer) => halves.has(buffer)),
  );
}

/** What a product reads and writes. */
function factorsOf(kernel: Kernel): Buffer[] {
  switch (kernel.kind) {
    case "dot":
      return [kernel.lhs.buffer, kernel.rhs.buffer, ...writesOf(kernel)];
    case "convolution":
      return [...loadsOf(kernel.input), kernel.weight, ...writesOf(kernel)];
    case "filterGradient":
      return [...loadsOf(kernel.input), kernel.cotangent];
    case "attention":
      return [kernel.query, kernel.key, kernel.value].map(({ buffer }) => buffer).concat(kernel.result);
    case "attentionGradient": {
      const views = [kernel.query, kernel.key, kernel.value, kernel.cotangent];
      return [...views.map(({ buffer }) => buffer), ...writesOf(kernel)];
    }
    default:
      return [];
  }
}

function loadsOf(root: Expression): Buffer[] {
  const loads: Buffer[] = [];
  visitExpression(root, (node) => node.kind === "load" && loads.push(node.buffer));
  return loads;
}
