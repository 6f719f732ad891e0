import { afterEach, describe, expect, test, vi } from "vitest";
import { Random } from "../../../../test/support/random.ts";
import { Unet } from "../../../models/unet/unet.ts";
import { conv2d } from "../../../tensor/functions/functions.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { Tensor, valueOf } from "../../../tensor/tensor.ts";
import { Variable } from "../../../tensor/variable.ts";
import { compile } from "../../compile.ts";
import { OutOfMemory } from "../../common/out-of-memory.ts";
import { ReferenceBackend } from "../../reference/backend.ts";
import { compileProgram } from "../program/compiled-program.ts";
import { createWasmBackend } from "../wasm-backend.node.ts";
import type { WasmBackend } from "../wasm-backend.ts";
import { Heap } from "./heap.ts";

const backends: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const backend of backends.splice(0)) await backend.close();
});

async function open(threads = 2): Promise<WasmBackend> {
  const backend = await createWasmBackend({ threads });
  backends.push(backend);
  return backend;
}

const model = new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
const random = new Random(3);
const inputs = { x: random.array([2, 8, 8, 1]), t: ndarray(Int32Array.of(3, 8), [2]) };
const forward = ({ x, t }: Record<"x" | "t", Tensor>) => ({ outputs: { y: model.forward(x, t) } });

/** What a program that was compiled after the variables took their values gives. */
async function fresh(): Promise<NdArray> {
  return (await compile(await open(1), forward)(inputs)).y;
}

async function change(by = 0.1): Promise<void> {
  for (const parameter of model.parameters().values()) {
    const value = await parameter.read();
    await parameter.write(value.map((x, i) => x + by * Math.sin(i)));
  }
}

describe("what depends on weights alone", () => {
  test("is computed again where they were written", async () => {
    const program = compile(await open(), forward);
    const before = (await program(inputs)).y;
    expect((await program(inputs)).y).toEqual(before);
    await change();
    const after = (await program(inputs)).y;
    expect(after).not.toEqual(before);
    expect(after).toEqual(await fresh());
  });

  test("is computed again where another program has changed them, and by that itself", async () => {
    const backend = await open();
    const program = compile(backend, forward);
    const parameter = [...model.parameters().values()].find(({ shape }) => shape.length === 4);
    if (!parameter) throw new Error("no convolution");
    const train = compile(backend, ({ x, t }: Record<"x" | "t", Tensor>) => {
      const loss = model.forward(x, t).square().mean();
      return {
        outputs: { loss },
        updates: [{ variable: parameter, value: valueOf(parameter).multiply(0.5).add(0.1) }],
      };
    });
    await program(inputs);
    const { loss } = await train(inputs);
    const next = await train(inputs);
    expect(next.loss.data[0]).not.toBe(loss.data[0]);
    const { y } = await program(inputs);
    expect(y).toEqual(await fresh());
  });

  test("is computed again where they were on another device in between, changed or not", async () => {
    const program = compile(await open(), forward);
    const before = (await program(inputs)).y;
    const other = new ReferenceBackend();
    backends.push(other);
    const [parameter] = model.parameters().values();
    const add = compile(other, ({ by }: Record<"by", Tensor>) => ({
      outputs: {},
      updates: [{ variable: parameter, value: valueOf(parameter).add(by) }],
    }));
    await add({ by: ndarray([0], []) });
    expect((await program(inputs)).y).toEqual(before);
    await add({ by: ndarray([0.25], []) });
    expect((await program(inputs)).y).toEqual(await fresh());
  });

  test("is computed in every run where there is no memory for it, with the same bits", async () => {
    const x = new Tensor({ kind: "input", index: 0, shape: inputs.x.shape, dtype: "f32" });
    const t = new Tensor({ kind: "input", index: 1, shape: inputs.t.shape, dtype: "i32" });
    const graph = { inputs: [x, t], outputs: [model.forward(x, t)], updates: [] };
    const given = [inputs.x, inputs.t];
    const backend = await open();
    const { keptBytes, preludeSteps } = compileProgram(graph, { features: backend.features, sharesMemory: true });
    expect(preludeSteps).toBeGreaterThan(10);
    const keeping = await backend.load(graph);
    const [expected] = await keeping.run(given);

    const allocate = Reflect.get(Heap.prototype, "allocate");
    const refusing = vi.spyOn(Heap.prototype, "allocate").mockImplementation(function (this: Heap, bytes) {
      if (bytes === keptBytes) throw new OutOfMemory("no memory", bytes);
      return allocate.call(this, bytes);
    });
    const computing = await backend.load(graph);
    refusing.mockRestore();
    expect((await computing.run(given))[0]).toEqual(expected);
    await change();
    expect((await computing.run(given))[0]).toEqual((await keeping.run(given))[0]);
    // All kernels run each time here, and those of the prelude do not there.
    const idle = async (executable: typeof keeping): Promise<number> =>
      (await executable.profile(given)).filter(({ seconds }) => seconds === 0).length;
    expect(await idle(keeping)).toBeGreaterThan(10);
    expect(await idle(computing)).toBe(0);
  });

  test("is no part of a program that changes what it depends on", () => {
    const v = new Variable("v", [3, 3, 2, 4]);
    const x = new Tensor({ kind: "input", index: 0, shape: [1, 5, 5, 2], dtype: "f32" });
    const y = conv2d(x, valueOf(v).subtract(valueOf(v).mean()), { padding: 1 });
    const options = { features: { wide: false, relaxed: true }, sharesMemory: true };
    const updates = [{ variable: v, value: valueOf(v).add(1) }];
    const reading = compileProgram({ inputs: [x], outputs: [y], updates: [] }, options);
    const changing = compileProgram({ inputs: [x], outputs: [y], updates }, options);
    expect(reading.preludeSteps).toBeGreaterThan(0);
    expect([changing.preludeSteps, changing.keptBytes]).toEqual([0, 0]);
  });
});
