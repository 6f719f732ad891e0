import { describe, expect, test } from "vitest";
import type { Backend, Executable } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { collectUntil } from "../support/garbage.ts";
import type { Context } from "./context.ts";

const countUp = (backend: Backend, ...variables: readonly Variable[]): Promise<Executable> =>
  backend.load({
    inputs: [],
    outputs: [],
    updates: variables.map((variable) => ({ variable, value: valueOf(variable).add(1) })),
  });

/** Runs a program again and again until it is refused; how often it ran, and why it ended. */
async function runOnAndOn(program: Executable): Promise<{ runs: number; reason: string }> {
  for (let runs = 0; ; runs++) {
    try {
      await program.run([]);
      // The reference never waits for anything: without this nobody else's turn would come.
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      return { runs, reason: String(error) };
    }
  }
}

const turn = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What ends, and who frees what. */
export function describeOwnership({ backend }: Context, create: () => Promise<Backend> | Backend): void {
  describe("closing a backend", () => {
    test("ends loops that run programs on it, and loses none of their updates", async () => {
      const closing = await create();
      const [a, b, shared] = ["a", "b", "shared"].map((name) => new Variable(name, [1]));
      const programs = [await countUp(closing, a, shared), await countUp(closing, shared, b)];
      const loops = programs.map(runOnAndOn);
      await turn(20);
      await closing.close();
      const ended = await Promise.all(loops);
      for (const { reason } of ended) expect(reason).toMatch(/^Error: \w+: the backend is closed$/);
      expect([...(await a.read()), ...(await b.read())]).toEqual(ended.map(({ runs }) => runs));
      expect([...(await shared.read())]).toEqual([ended[0].runs + ended[1].runs]);
    });

    test("ends loops that pull a variable to and fro between it and another one", async () => {
      const [closing, other] = [await create(), ReferenceBackend.create()];
      const v = new Variable("v", [1]);
      const here = runOnAndOn(await countUp(closing, v));
      const there = runOnAndOn(await countUp(other, v));
      await turn(20);
      await closing.close();
      const { runs, reason } = await here;
      expect(reason).toContain("the backend is closed");
      await other.close();
      expect([...(await v.read())]).toEqual([runs + (await there).runs]);
    });

    test("ends what is being compiled", async () => {
      const closing = await create();
      const loads = Array.from({ length: 4 }, (_, i) => countUp(closing, new Variable(`v${i}`, [1])));
      const ended = Promise.allSettled(loads);
      await closing.close();
      for (const load of await ended) {
        const refusal = load.status === "rejected" ? String(load.reason) : await runOnAndOn(load.value).then(String);
        expect(refusal).toBeDefined();
      }
    });

    test("is done once, however often it is asked for", async () => {
      const closing = await create();
      const v = new Variable("v", [1]);
      const program = await countUp(closing, v);
      await Promise.all([program.run([]), closing.close(), closing.close()]);
      await closing.close();
      expect([...(await v.read())]).toEqual([1]);
    });

    test("leaves nothing to do for programs that are disposed of afterwards", async () => {
      const closing = await create();
      const v = new Variable("v", [1]);
      const program = await countUp(closing, v);
      const double = compile(closing, ({ x }) => ({ outputs: { y: x.multiply(2) } }));
      await double({ x: ndarray([1], [1]) });
      await closing.close();
      program.dispose();
      double.dispose();
      v.dispose();
      // A rejection that nobody handles ends the process, and fails the test.
      await turn(20);
    });
  });

  describe("a variable that is disposed of", () => {
    test("cannot be used any more, in one line", async () => {
      const v = new Variable("weight", [1]);
      const program = await countUp(backend(), v);
      const running = program.run([]);
      await running;
      v.dispose();
      v.dispose();
      const refusal = "variable weight was disposed of";
      await expect(v.read()).rejects.toThrow(refusal);
      await expect(v.write(Float32Array.of(1))).rejects.toThrow(refusal);
      await expect(countUp(backend(), v)).rejects.toThrow(refusal);
      await turn();
      await expect(program.run([])).rejects.toThrow(refusal);
    });

    test("gives its value to programs that have begun with it", async () => {
      const v = new Variable("v", [1], { data: Float32Array.of(3) });
      const program = await backend().load({ inputs: [], outputs: [valueOf(v).add(1)], updates: [] });
      await program.run([]);
      const running = [program.run([]), program.run([]), v.read()];
      v.dispose();
      const [first, second, value] = await Promise.all(running);
      expect([first, second]).toMatchObject([[{ data: Float32Array.of(4) }], [{ data: Float32Array.of(4) }]]);
      expect(value).toEqual(Float32Array.of(3));
    });

    test("leaves other variables as they are", async () => {
      const [gone, kept] = [new Variable("gone", [64]), new Variable("kept", [64])];
      const program = await countUp(backend(), kept);
      await (await countUp(backend(), gone, kept)).run([]);
      gone.dispose();
      await (await countUp(backend(), new Variable("next", [64]))).run([]);
      await program.run([]);
      expect((await kept.read())[63]).toBe(2);
    });
  });
}

type Measured = Backend & { readonly allocatedBytes: number };

const MIB = 2 ** 20;

/** Who frees memory, on a backend that tells how much it has given. */
export function describeMemory(create: () => Promise<Measured>): void {
  const large = () => new Variable("large", [MIB]);

  describe("the device's memory", () => {
    test("is given back by variables and programs that are disposed of", async () => {
      const backend = await create();
      const kept = new Variable("kept", [1]);
      const program = await countUp(backend, kept);
      await program.run([]);
      await kept.read();
      const before = backend.allocatedBytes;
      for (let i = 0; i < 5; i++) {
        const v = large();
        const own = await countUp(backend, v);
        await own.run([]);
        expect(backend.allocatedBytes).toBeGreaterThanOrEqual(before + 4 * MIB);
        own.dispose();
        v.dispose();
        await kept.read();
      }
      expect(backend.allocatedBytes - before).toBeLessThan(MIB);
      await program.run([]);
      expect([...(await kept.read())]).toEqual([2]);
      await backend.close();
    });

    test("is given back by variables and programs that nobody has any more", async () => {
      const backend = await create();
      const kept = new Variable("kept", [1]);
      await (await countUp(backend, kept)).run([]);
      await kept.read();
      const before = backend.allocatedBytes;
      const useAndForget = async (): Promise<void> => {
        const step = compile(backend, () => {
          const v = large();
          return { outputs: { sum: valueOf(v).sum() }, updates: [{ variable: v, value: valueOf(v).add(1) }] };
        });
        await step();
      };
      for (let i = 0; i < 4; i++) await useAndForget();
      expect(backend.allocatedBytes).toBeGreaterThanOrEqual(before + 4 * MIB);
      expect(await collectUntil(() => backend.allocatedBytes < before + MIB)).toBe(true);
      expect([...(await kept.read())]).toEqual([1]);
      await backend.close();
    });

    test("stays with variables that a program names, and with those that somebody has", async () => {
      const backend = await create();
      const held = large();
      await (await countUp(backend, held)).run([]);
      const program = await (async () => {
        const v = large();
        return backend.load({
          inputs: [],
          outputs: [valueOf(v).slice(0, 0, 1)],
          updates: [{ variable: v, value: valueOf(v).add(1) }],
        });
      })();
      await program.run([]);
      expect(await collectUntil(() => backend.allocatedBytes < 8 * MIB, 5)).toBe(false);
      expect((await program.run([]))[0].data).toEqual(Float32Array.of(1));
      expect((await held.read())[5]).toBe(1);
      await backend.close();
    });
  });
}
