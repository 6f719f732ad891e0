import { expect, test } from "vitest";
import { compile } from "../../compile.ts";
import { full, valueOf } from "../../../tensor/tensor.ts";
import { Variable } from "../../../tensor/variable.ts";
import { WasmBackend } from "../wasm-backend.ts";
import * as platform from "./platform.node.ts";

/** `early` is done with long before `late`, which follows from many large products. */
function variables() {
  return { early: new Variable("early", [2 ** 16]), late: new Variable("late", [256, 256]) };
}

function programOf(backend: WasmBackend, { early, late }: ReturnType<typeof variables>) {
  return compile(backend, () => {
    const first = { variable: early, value: valueOf(early).add(1) };
    let product = full([256, 256], 1 / 256).add(valueOf(late).multiply(0));
    for (let i = 0; i < 60; i++) product = product.matmul(full([256, 256], 1 / 256));
    return { outputs: {}, updates: [first, { variable: late, value: valueOf(late).add(product.multiply(256)) }] };
  });
}

test.each([1, 2])("values change while %i threads run the rest of a program", async (threads) => {
  const backend = await WasmBackend.create(platform, { threads });
  const { early, late } = variables();
  const program = programOf(backend, { early, late });
  let lateValues: Float32Array = new Float32Array(1);
  /** Runs once; says whether `late` was still as the run before had left it when `early` could be changed. */
  const changesEarly = async (runs: number): Promise<boolean> => {
    const seen: number[] = [];
    const change = async ([values]: readonly Float32Array[]): Promise<void> => {
      if (seen.push(Math.round(lateValues[0])) === 1) values[0] += 0.5;
      else lateValues = values;
    };
    await program.exchanging({}, { groups: [[early], [late]], change });
    return runs > 0 && seen[0] === runs;
  };
  let runs = 0;
  // What the system runs beside may keep this thread from seeing it at once.
  while (!(await changesEarly(runs++)) && runs < 50);
  expect(runs).toBeLessThan(50);
  expect((await early.read())[0]).toBe(1.5 * runs);
  expect((await late.read())[0]).toBeCloseTo(runs, 3);
  await backend.close();
});

test("a variable that is none of the program's is refused", async () => {
  const backend = await WasmBackend.create(platform, { threads: 1 });
  const program = programOf(backend, variables());
  const exchange = { groups: [[new Variable("other", [1])]], change: async () => {} };
  await expect(program.exchanging({}, exchange)).rejects.toThrow(
    "exchange: variable other must be one of the program's",
  );
  await backend.close();
});
