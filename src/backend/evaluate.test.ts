import { inspect } from "node:util";
import { afterAll, expect, test } from "vitest";
import { ndarray } from "../tensor/ndarray.ts";
import { Tensor, literal, scalar, valueOf } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { ReferenceBackend } from "./reference/backend.ts";
import { defaultBackend } from "./default.ts";
import { evaluate } from "./evaluate.ts";

afterAll(async () => (await defaultBackend()).close());

test("a tensor without inputs is computed where it stands", async () => {
  const x = literal(ndarray([1, 2, 3], [3]));
  expect(await x.multiply(2).add(1).evaluate()).toEqual(ndarray([3, 5, 7], [3]));
  const w = new Variable("w", [2], { data: Float32Array.of(4, 9) });
  expect(inspect(await evaluate(valueOf(w).sqrt(), ReferenceBackend.create()))).toBe("f32 [2] [2, 3]");
  expect((await scalar(7, "i32").evaluate()).data).toEqual(Int32Array.of(7));
});

test("one with inputs says what to do instead", async () => {
  const x = new Tensor({ kind: "input", index: 0, shape: [2], dtype: "f32" });
  await expect(x.add(1).evaluate()).rejects.toThrow("evaluate: the tensor has inputs");
});
