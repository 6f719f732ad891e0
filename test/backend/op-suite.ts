import { describe, expect, test } from "vitest";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { OpKind } from "../../src/tensor/op.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Random } from "../support/random.ts";
import { difference } from "./comparison.ts";
import { SMALLEST_NORMAL, evaluate } from "./context.ts";
import type { Context } from "./context.ts";
import { opCases } from "./op-cases.ts";
import type { OpCase, OpCases, Precision } from "./op-cases.ts";

const kinds = Object.keys(opCases) as OpKind[];

/** Every op alone, on random and chosen operands. */
export function describeOps(context: Context, chosen: readonly OpKind[] = kinds): void {
  describe("every op alone agrees with the reference:", () => {
    for (const kind of chosen) {
      const cases = opCases[kind];
      test(kind, async () => {
        const failures: string[] = [];
        for (const [name, opCase] of casesOf(cases)) {
          const differs = await differenceOf(context, withoutDenormals(context, opCase), cases.precision);
          if (differs) failures.push(`${name}: ${differs}`);
        }
        expect(failures).toEqual([]);
      });
    }
  });
}

function casesOf({ count, draw, pinned = [] }: OpCases): [string, OpCase][] {
  const chosen = pinned.map((make, i): [string, OpCase] => [`pinned case ${i}`, make(new Random(i))]);
  const random = Array.from({ length: count }, (_, seed): [string, OpCase] => [`seed ${seed}`, draw(new Random(seed))]);
  return [...chosen, ...random];
}

async function differenceOf(context: Context, opCase: OpCase, usual: Precision): Promise<string | undefined> {
  const { inputs, build, magnitude } = opCase;
  let description = "";
  const outputs = (leaves: readonly Tensor[]): Tensor[] => {
    const result = build(leaves);
    const { kind: _, ...details } = result.op;
    const operands = leaves.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`);
    description = `${JSON.stringify({ ...details, data: undefined, variable: undefined })} of ${operands.join(", ")}`;
    return [result];
  };
  const [actual] = await evaluate(context.backend(), inputs, outputs);
  const [expected, size] = await evaluate(context.reference, inputs, (leaves) => [
    ...outputs(leaves),
    ...(magnitude ? [magnitude(leaves)] : []),
  ]);
  const differs = difference(actual, expected, allowance(context, opCase.precision ?? usual, expected, size));
  return differs && `${description}: ${differs}`;
}

function allowance(
  { tolerances }: Context,
  precision: Precision,
  expected: NdArray,
  magnitude: NdArray | undefined,
): (index: number) => number {
  if (precision === "exact" || expected.dtype !== "f32") return () => 0;
  const relative = tolerances[precision];
  const least = precision === "arithmetic" && tolerances.denormals ? 0 : SMALLEST_NORMAL;
  const { data } = magnitude ?? expected;
  return (i) => relative * Math.abs(data[i]) + least;
}

function withoutDenormals({ tolerances }: Context, opCase: OpCase): OpCase {
  if (tolerances.denormals) return opCase;
  const inputs = opCase.inputs.map((x) =>
    x.dtype === "f32" ? { ...x, data: x.data.map((value) => (Math.abs(value) < SMALLEST_NORMAL ? 0 : value)) } : x,
  );
  return { ...opCase, inputs };
}
