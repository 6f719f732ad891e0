import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { conv2d, softmax } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Update } from "../../src/tensor/graph.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { full, valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { Random } from "../support/random.ts";
import { inputLeaves } from "./context.ts";
import type { Context } from "./context.ts";

const load = (
  backend: Backend,
  inputs: readonly NdArray[],
  build: (inputs: readonly Tensor[]) => Tensor[],
  updates: readonly Update[] = [],
) => {
  const leaves = inputLeaves(inputs);
  return backend.load({ inputs: leaves, outputs: build(leaves), updates });
};

const variable = (name: string, values: readonly number[]): Variable =>
  new Variable(name, [values.length], { data: Float32Array.from(values) });

const numbersOf = (arrays: readonly NdArray[]): number[][] => arrays.map(({ data }) => Array.from(data));

/** Adds one to a variable; the output is its old value. */
const countUp = (backend: Backend, v: Variable) =>
  load(backend, [], () => [valueOf(v)], [{ variable: v, value: valueOf(v).add(1) }]);

/** A step of training in small, so that many kinds of kernels run. */
const training = (backend: Backend, filter: Variable) =>
  compile(backend, ({ x }) => {
    const w = valueOf(filter);
    const loss = softmax(conv2d(x, w, { padding: 1 }).tanh())
      .square()
      .mean();
    return { outputs: { loss }, updates: [{ variable: filter, value: w.subtract(grad(loss, [w])[0].multiply(10)) }] };
  });

const drawFilter = (): Variable =>
  new Variable("filter", [3, 3, 4, 8], { data: new Random(1).array([3, 3, 4, 8]).data });

function describeRuns({ backend }: Context): void {
  describe("programs", () => {
    test("say in one line what they run on", () => {
      expect(backend().description).toMatch(/^[^\n]+$/);
    });

    test("give the same bits whenever they run", async () => {
      const x = new Random(2).array([3, 9, 9, 4]);
      const losses: number[][] = [];
      const filters = [drawFilter(), drawFilter()];
      for (const filter of filters) {
        const step = training(backend(), filter);
        const run: number[] = [];
        for (let i = 0; i < 5; i++) run.push((await step({ x })).loss.data[0]);
        losses.push(run);
        step.dispose();
      }
      expect(losses[0]).toEqual(losses[1]);
      expect(await filters[0].read()).toEqual(await filters[1].read());
      expect(new Set(losses[0]).size).toBe(5);
    });

    test("return arrays that later runs leave alone", async () => {
      const x = ndarray([1, 2, 3], [3]);
      const program = await load(backend(), [x], ([x]) => [x.add(1), x, full([2], 5)]);
      const first = await program.run([x]);
      const second = await program.run([ndarray([7, 8, 9], [3])]);
      expect(numbersOf(first)).toEqual([
        [2, 3, 4],
        [1, 2, 3],
        [5, 5],
      ]);
      expect(numbersOf(second)).toEqual([
        [8, 9, 10],
        [7, 8, 9],
        [5, 5],
      ]);
    });

    test("are not changed by what a caller does to arrays that it gave or got", async () => {
      const x = ndarray([1, 2], [2]);
      const v = variable("v", [3, 4]);
      const program = await load(backend(), [x], ([x]) => [x, valueOf(v), full([2], 5)]);
      for (const { data } of await program.run([x])) data.fill(-1);
      (await v.read()).fill(-2);
      expect(x.data).toEqual(Float32Array.of(1, 2));
      const again = await program.run([x]);
      expect(numbersOf(again)).toEqual([
        [1, 2],
        [3, 4],
        [5, 5],
      ]);
    });

    test("leave their inputs as they were", async () => {
      const x = ndarray([3, -1, 2], [3]);
      const program = await load(backend(), [x], ([x]) => [x.exp().multiply(x), x.reverse([0]).add(1)]);
      await program.run([x]);
      expect(x.data).toEqual(Float32Array.of(3, -1, 2));
    });

    test("run in turn, in the order of the calls, when several are called at once", async () => {
      const v = variable("v", [0]);
      const program = await countUp(backend(), v);
      const results = await Promise.all(Array.from({ length: 6 }, () => program.run([])));
      expect(results.map(([output]) => output.data[0])).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test("live beside each other, and outlive each other", async () => {
      const x = ndarray([1, 4, 9], [3]);
      const roots = await load(backend(), [x], ([x]) => [x.sqrt()]);
      const doubles = await load(backend(), [x], ([x]) => [x.multiply(2)]);
      expect(numbersOf(await roots.run([x]))).toEqual([[1, 2, 3]]);
      expect(numbersOf(await doubles.run([x]))).toEqual([[2, 8, 18]]);
      roots.dispose();
      const sums = await load(backend(), [x], ([x]) => [x.sum()]);
      expect(numbersOf(await doubles.run([x]))).toEqual([[2, 8, 18]]);
      expect(numbersOf(await sums.run([x]))).toEqual([[14]]);
    });

    test("may be thousands of ops deep", async () => {
      const x = ndarray([0, 1], [2]);
      const program = await load(backend(), [x], ([x]) => {
        let y = x;
        for (let i = 0; i < 1500; i++) y = y.reverse([0]).add(1);
        return [y];
      });
      expect(numbersOf(await program.run([x]))).toEqual([[1500, 1501]]);
    });

    test("tell how much memory they need besides inputs and results", async () => {
      const x = ndarray(new Float32Array(100), [100]);
      const program = await load(backend(), [x], ([x]) => [x.add(1)]);
      expect(program.workspaceBytes).toBeGreaterThanOrEqual(0);
      expect(Number.isInteger(program.workspaceBytes)).toBe(true);
    });
  });
}

function describeVariables({ backend }: Context): void {
  describe("variables", () => {
    test("keep what was written before and while a device has them", async () => {
      const v = variable("v", [1, 2]);
      await v.write(Float32Array.of(10, 20));
      const program = await countUp(backend(), v);
      expect(numbersOf(await program.run([]))).toEqual([[10, 20]]);
      expect([...(await v.read())]).toEqual([11, 21]);
      await v.write(Float32Array.of(5, 6));
      expect(numbersOf(await program.run([]))).toEqual([[5, 6]]);
      expect([...(await v.read())]).toEqual([6, 7]);
    });

    test("are shared by the programs that name them", async () => {
      const v = variable("v", [1]);
      const up = await countUp(backend(), v);
      const twice = await load(backend(), [], () => [], [{ variable: v, value: valueOf(v).multiply(2) }]);
      await up.run([]);
      await twice.run([]);
      await up.run([]);
      expect([...(await v.read())]).toEqual([5]);
      up.dispose();
      await twice.run([]);
      expect([...(await v.read())]).toEqual([10]);
    });

    test("are shared also by programs that are loaded at once", async () => {
      const v = variable("v", [1]);
      const programs = await Promise.all([countUp(backend(), v), countUp(backend(), v), countUp(backend(), v)]);
      for (const program of programs) await program.run([]);
      expect([...(await v.read())]).toEqual([4]);
    });

    test("move to another device with their value, and come back", async () => {
      const other = ReferenceBackend.create();
      const v = variable("v", [1]);
      const here = await countUp(backend(), v);
      await here.run([]);
      const there = await countUp(other, v);
      expect(numbersOf(await there.run([]))).toEqual([[2]]);
      expect([...(await v.read())]).toEqual([3]);
      expect(numbersOf(await here.run([]))).toEqual([[3]]);
      expect(numbersOf(await there.run([]))).toEqual([[4]]);
      await other.close();
      expect([...(await v.read())]).toEqual([5]);
      expect(numbersOf(await here.run([]))).toEqual([[5]]);
    });

    test("lose no update when two devices run them at once", async () => {
      const other = ReferenceBackend.create();
      const [a, b] = [variable("a", [0]), variable("b", [0])];
      const countBoth = (device: Backend, variables: readonly Variable[]) => {
        const updates = variables.map((v) => ({ variable: v, value: valueOf(v).add(1) }));
        return load(device, [], () => variables.map(valueOf), updates);
      };
      const programs = [await countBoth(backend(), [a, b]), await countBoth(other, [b, a])];
      programs.push(await countUp(backend(), a), await countUp(other, b));
      await Promise.all(Array.from({ length: 40 }, (_, i) => programs[(i * 3 + (i >> 2)) % 4].run([])));
      expect([[...(await a.read())], [...(await b.read())]]).toEqual([[30], [30]]);
      await other.close();
    });

    test("of no elements and of one element hold their values", async () => {
      const none = new Variable("none", [0, 3]);
      const one = new Variable("one", [], { dtype: "i32", data: Int32Array.of(-7) });
      const program = await load(backend(), [], () => [valueOf(one), valueOf(none).sum(0)], [
        { variable: none, value: valueOf(none).add(1) },
        { variable: one, value: valueOf(one).multiply(3) },
      ]);
      const outputs = await program.run([]);
      expect(numbersOf(outputs)).toEqual([[-7], [0, 0, 0]]);
      expect(await one.read()).toEqual(Int32Array.of(-21));
      expect(await none.read()).toEqual(new Float32Array());
    });
  });
}

function describeExchange({ backend }: Context, create: () => Promise<Backend> | Backend): void {
  describe("exchanging values with the host", () => {
    const filled = (blocks: readonly Float32Array[]): number[] => blocks.flatMap((block) => [...block]).filter(Boolean);

    test("shows them in their order, after the programs that have begun, and keeps what is written", async () => {
      const variables = [variable("a", [1, 2, 3]), variable("b", [4]), variable("c", new Array<number>(40).fill(5))];
      const program = await backend().load({
        inputs: [],
        outputs: [],
        updates: variables.map((each) => ({ variable: each, value: valueOf(each).add(1) })),
      });
      const begun = program.run([]);
      let seen: number[] = [];
      const exchanged = backend().exchange(variables, async (blocks) => {
        seen = filled(blocks);
        await new Promise((resolve) => setTimeout(resolve, 5));
        for (const block of blocks) for (const [i, value] of block.entries()) block[i] = value * 10;
      });
      await Promise.all([begun, exchanged]);
      await program.run([]);
      expect(seen).toEqual([2, 3, 4, 5, ...new Array<number>(40).fill(6)]);
      const values = await Promise.all(variables.map((each) => each.read()));
      expect(values.map((data) => Array.from(data))).toEqual([[21, 31, 41], [51], new Array<number>(40).fill(61)]);
    });

    test("brings variables of the host, and gives as few blocks as there can be", async () => {
      const fresh = Array.from({ length: 20 }, (_, i) => new Variable(`fresh ${i}`, [i + 1]));
      let count = 0;
      const isHost = backend() instanceof ReferenceBackend;
      await backend().exchange(fresh, async (blocks) => {
        count = blocks.length;
        blocks[0][0] = 7;
      });
      expect(count).toBe(isHost ? 20 : 1);
      expect((await fresh[0].read())[0]).toBe(7);
    });

    test("follows a program group by group, whose results are those of before", async () => {
      const large = new Array<number>(2 ** 16).fill(1);
      const [a, b, c] = [variable("a", large), variable("b", [3, 4]), variable("c", [5])];
      const groups = [[b], [a, c]];
      const count = compile(backend(), ({ x }) => ({
        outputs: { sum: valueOf(b).sum() },
        updates: [a, b, c].map((each) => ({ variable: each, value: valueOf(each).add(x) })),
      }));
      const seen: number[][] = [];
      const change = async (blocks: readonly Float32Array[]): Promise<void> => {
        seen.push([...new Set(filled(blocks))]);
        for (const block of blocks) for (const [i, value] of block.entries()) block[i] = value * 10;
      };
      for (const x of [1, 2]) {
        const { sum } = await count.exchanging({ x: ndarray([x], []) }, { groups, change });
        expect([...sum.data]).toEqual([x === 1 ? 7 : 90]);
      }
      expect(seen).toEqual([
        [4, 5],
        [2, 6],
        [42, 52],
        [22, 62],
      ]);
      await count({ x: ndarray([1], []) });
      expect([...(await b.read()), ...(await c.read()), (await a.read())[9]]).toEqual([421, 521, 621, 221]);
    });

    test("fails as what changes them fails, and goes on with the next program", async () => {
      const v = variable("v", [1]);
      await expect(backend().exchange([v], () => Promise.reject(new Error("no network")))).rejects.toThrow(
        "no network",
      );
      await (await countUp(backend(), v)).run([]);
      expect([...(await v.read())]).toEqual([2]);
      const count = compile(backend(), () => ({ outputs: {}, updates: [{ variable: v, value: valueOf(v).add(1) }] }));
      const exchange = { groups: [[v]], change: () => Promise.reject(new Error("no network")) };
      await expect(count.exchanging({}, exchange)).rejects.toThrow("no network");
      await count();
      expect([...(await v.read())]).toEqual([4]);
    });

    test("is refused for other values than f32, and where the backend is closed", async () => {
      const whole = new Variable("n", [1], { dtype: "i32" });
      await expect(backend().exchange([whole], async () => {})).rejects.toThrow(
        "exchange: variable n must be f32, got i32",
      );
      const closing = await create();
      await closing.close();
      await expect(closing.exchange([variable("v", [1])], async () => {})).rejects.toThrow("the backend is closed");
    });
  });
}

function describeRefusals({ backend }: Context, create: () => Promise<Backend> | Backend): void {
  describe("what cannot run is refused with one line:", () => {
    const x = ndarray([1, 2, 3, 4], [2, 2]);
    const ran = async (...inputs: readonly NdArray[]) => {
      const program = await load(backend(), [x], ([x]) => [x.add(1)]);
      return program.run(inputs);
    };

    test("too few or too many inputs", async () => {
      await expect(ran()).rejects.toThrow("run: the program takes 1 inputs, got 0");
      await expect(ran(x, x)).rejects.toThrow("run: the program takes 1 inputs, got 2");
    });

    test("an input of another shape or dtype", async () => {
      await expect(ran(ndarray([1, 2, 3, 4], [4]))).rejects.toThrow("run: input 0 must be f32[2,2], got f32[4]");
      await expect(ran(ndarray([1, 2, 3, 4], [2, 2], "i32"))).rejects.toThrow(
        "run: input 0 must be f32[2,2], got i32[2,2]",
      );
    });

    test("an input whose values are too few or of another kind", async () => {
      const short = { ...x, data: Float32Array.of(1) };
      await expect(ran(short)).rejects.toThrow("run: input 0 needs Float32Array of 4, got Float32Array of 1");
      const words = { ...x, data: Uint32Array.of(1, 2, 3, 4) };
      await expect(ran(words)).rejects.toThrow("run: input 0 needs Float32Array of 4, got Uint32Array of 4");
    });

    test("a graph that uses an input it does not declare", async () => {
      const leaves = inputLeaves([x, x]);
      const graph = { inputs: [leaves[0]], outputs: [leaves[1].add(1)], updates: [] };
      await expect(backend().load(graph)).rejects.toThrow(
        "load: the graph uses input 1, which is not among its 1 inputs",
      );
    });

    test("two updates of one variable, and an update of another shape", async () => {
      const v = variable("v", [1, 2]);
      const up = { variable: v, value: valueOf(v).add(1) };
      await expect(load(backend(), [], () => [], [up, up])).rejects.toThrow(
        "load: variable v has more than one update",
      );
      const longer = { variable: v, value: full([3], 0) };
      await expect(load(backend(), [], () => [], [longer])).rejects.toThrow(
        "load: variable v is f32[2], its update f32[3]",
      );
    });

    test("a program that was disposed of", async () => {
      const program = await load(backend(), [x], ([x]) => [x.add(1)]);
      program.dispose();
      await expect(program.run([x])).rejects.toThrow("run: the program was disposed of");
    });

    test("everything once the backend is closed, when the variables' values are back on the host", async () => {
      const closing = await create();
      const v = variable("v", [1]);
      const program = await countUp(closing, v);
      await program.run([]);
      await closing.close();
      expect([...(await v.read())]).toEqual([2]);
      await v.write(Float32Array.of(8));
      expect([...(await v.read())]).toEqual([8]);
      await expect(program.run([])).rejects.toThrow("the backend is closed");
      await expect(countUp(closing, v)).rejects.toThrow("the backend is closed");
      await closing.close();
    });
  });
}

/** What holds for programs and variables whatever they compute. */
export function describePrograms(context: Context, create: () => Promise<Backend> | Backend): void {
  describeRuns(context);
  describeVariables(context);
  describeExchange(context, create);
  describeRefusals(context, create);
}
