import { afterAll, describe, expect, test } from "vitest";
import { ndarray } from "../../../tensor/ndarray.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import { Random } from "../../../../test/support/random.ts";
import { compile } from "../../compile.ts";
import { programOf } from "../program/compiled-program.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";
import { transposingMap } from "./transposing-map.ts";

interface Case {
  readonly shape: readonly number[];
  readonly build: (x: Tensor) => Tensor;
  /** Where in x the value at these places of the result is from, and what becomes of it. */
  readonly value: (at: readonly number[], x: (...at: number[]) => number) => number;
}

const cases: Readonly<Record<string, Case>> = {
  "a matrix whose rows are whole cache lines": {
    shape: [208, 224],
    build: (x) => x.transpose([1, 0]),
    value: ([i, j], x) => x(j, i),
  },
  "a matrix whose rows are not": {
    shape: [204, 212],
    build: (x) => x.transpose([1, 0]).multiply(2).add(1),
    value: ([i, j], x) => 2 * x(j, i) + 1,
  },
  "axes between and around": {
    shape: [3, 36, 5, 68],
    build: (x) => x.transpose([0, 3, 2, 1]),
    value: ([a, b, c, d], x) => x(a, d, c, b),
  },
  "a part of a matrix, beside something that is one number along what is read": {
    shape: [260, 200],
    build: (x) => {
      const part = x.slice(0, 8, 256).slice(1, 4, 196);
      const first = x.slice(1, 3, 4).slice(0, 8, 256);
      return part.multiply(first.broadcastTo(part.shape)).transpose([1, 0]);
    },
    value: ([i, j], x) => Math.fround(x(j + 8, i + 4) * x(j + 8, 3)),
  },
  conditions: {
    shape: [192, 180],
    build: (x) => x.compare("gt", 0).transpose([1, 0]).convert("f32"),
    value: ([i, j], x) => Number(x(j, i) > 0),
  },
};

const stepsOf = (shape: readonly number[]) =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1));

describe("maps that read along one axis and write along another", async () => {
  const backend = await createWasmBackend({ threads: 2 });
  afterAll(() => backend.close());

  test.each(Object.entries(cases))("%s: exact, in blocks", async (_, { shape, build, value }) => {
    const steps = stepsOf(shape);
    const random = new Random(1);
    const x = random.array([...shape], "f32");
    const leaf = new Tensor({ kind: "input", index: 0, shape: [...shape], dtype: "f32" });
    const { kernels } = programOf({ inputs: [leaf], outputs: [build(leaf)], updates: [] });
    expect(kernels.map((kernel) => kernel.kind === "map" && transposingMap(kernel, 1) !== undefined)).toContain(true);
    const { y } = await compile(backend, ({ x: given }) => ({ outputs: { y: build(given) } }))({ x });
    const places = stepsOf(y.shape);
    const at = (...place: number[]) => x.data[place.reduce((sum, n, axis) => sum + n * steps[axis], 0)];
    const expected = Float32Array.from(y.data, (_value, i) =>
      value(
        places.map((step, axis) => Math.floor(i / step) % y.shape[axis]),
        at,
      ),
    );
    expect(ndarray(Float32Array.from(y.data), y.shape)).toEqual(ndarray(expected, y.shape));
  });
});
