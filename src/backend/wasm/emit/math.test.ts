import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../../tensor/tensor.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import { compile } from "../../compile.ts";
import { erf } from "../../reference/erf.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";
import type { WasmBackend } from "../wasm-backend.ts";

interface Claim {
  readonly name: string;
  readonly apply: (x: Tensor) => Tensor;
  readonly truth: (x: number) => number;
  readonly range: readonly [number, number];
  /** The largest error that math.ts states, relative unless absolute. */
  readonly error: number;
  readonly absolute?: boolean;
}

const claims: readonly Claim[] = [
  { name: "exponential", apply: (x) => x.exp(), truth: Math.exp, range: [-87, 88.7], error: 3e-7 },
  { name: "log", apply: (x) => x.log(), truth: Math.log, range: [1e-30, 1000], error: 2e-7 },
  { name: "log near 1", apply: (x) => x.log(), truth: Math.log, range: [0.5, 2], error: 2e-7 },
  { name: "logistic", apply: (x) => x.sigmoid(), truth: (x) => 1 / (1 + Math.exp(-x)), range: [-80, 80], error: 4e-7 },
  { name: "tanh", apply: (x) => x.tanh(), truth: Math.tanh, range: [-10, 10], error: 4e-7 },
  { name: "erf", apply: (x) => x.erf(), truth: erf, range: [-5, 5], error: 4e-7 },
  { name: "sine", apply: (x) => x.sin(), truth: Math.sin, range: [-1e4, 1e4], error: 2e-7, absolute: true },
  { name: "cosine", apply: (x) => x.cos(), truth: Math.cos, range: [-1e4, 1e4], error: 2e-7, absolute: true },
];

const POINTS = 200_001;

describe("functions have the errors that are stated for them:", () => {
  let backend: WasmBackend;
  beforeAll(async () => {
    backend = await createWasmBackend({ threads: 1 });
  });
  afterAll(() => backend.close());

  test.for(claims)("$name", async ({ apply, truth, range: [low, high], error, absolute }) => {
    const x = Float32Array.from({ length: POINTS }, (_, i) => low + ((high - low) * i) / (POINTS - 1));
    const run = compile(backend, ({ x }) => ({ outputs: { y: apply(x) } }));
    const { y } = await run({ x: ndarray(x, [POINTS]) });
    let worst = 0;
    for (const [i, value] of y.data.entries()) {
      const expected = truth(x[i]);
      const difference = Math.abs(value - expected);
      worst = Math.max(worst, absolute ? difference : expected === 0 ? difference : difference / Math.abs(expected));
    }
    run.dispose();
    expect(worst).toBeLessThan(error);
  });
});
