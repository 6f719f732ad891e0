import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { DeviceLost } from "../../src/backend/common/device-lost.ts";
import { OutOfMemory } from "../../src/backend/common/out-of-memory.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { RemoteBackend } from "../../src/backend/remote/remote-backend.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { inProcessWorker } from "../support/in-process-worker.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { describeBackend } from "./contract.ts";
import { describeMemory } from "./ownership-suite.ts";

const create = (): Promise<Backend> => Promise.resolve(ReferenceBackend.create());
const open = (backend = create): Promise<RemoteBackend> => RemoteBackend.open(inProcessWorker(backend), {});

describeBackend("remote", () => open());

describe("remote", () => {
  describeMemory(async () => {
    const inside = await createWasmBackend({ threads: 1 });
    const backend = await open(() => Promise.resolve(inside));
    const memory = { get: () => inside.allocatedBytes };
    return Object.defineProperty(backend, "allocatedBytes", memory) as typeof backend & { allocatedBytes: number };
  });
});

describe("a backend in a worker", () => {
  const addOne = (backend: Backend, variable: Variable) =>
    backend.load({ inputs: [], outputs: [], updates: [{ variable, value: valueOf(variable).add(1) }] });

  test("says what the one inside is", async () => {
    const inside: Backend = Object.assign(ReferenceBackend.create(), { reason: "there is no GPU" });
    const { name, description, reason } = await open(() => Promise.resolve(inside));
    expect({ name, description, reason }).toEqual({
      name: "reference",
      description: inside.description,
      reason: "there is no GPU",
    });
  });

  test("shares a variable with another backend, whichever runs", async () => {
    const [here, there] = [await open(), ReferenceBackend.create()];
    const variable = new Variable("v", [1]);
    const programs = [await addOne(here, variable), await addOne(there, variable)];
    for (const program of [...programs, ...programs, programs[1], programs[0]]) await program.run([]);
    expect([...(await variable.read())]).toEqual([6]);
    await here.close();
  });

  test("passes on that memory does not suffice, with the bytes that are needed", async () => {
    const small = ReferenceBackend.create();
    small.load = () => Promise.reject(new OutOfMemory("too large", 123));
    const backend = await open(() => Promise.resolve(small));
    const refused = backend.load({ inputs: [], outputs: [], updates: [] });
    await expect(refused).rejects.toThrow(OutOfMemory);
    await expect(refused).rejects.toMatchObject({ message: "too large", neededBytes: 123 });
  });

  test("passes on that the device was lost", async () => {
    const broken = ReferenceBackend.create();
    broken.load = () => Promise.reject(new DeviceLost("webgpu: the device was lost"));
    const backend = await open(() => Promise.resolve(broken));
    await expect(backend.load({ inputs: [], outputs: [], updates: [] })).rejects.toThrow(DeviceLost);
  });

  test("cannot be opened if the one inside cannot", async () => {
    const failing = open(() => Promise.reject(new Error("wasm: threads must be a whole number")));
    await expect(failing).rejects.toThrow("wasm: threads must be a whole number");
  });

  test("fails in one line when its worker ends", async () => {
    const worker = inProcessWorker(create);
    let end: (event: Event) => void = () => {};
    const addEventListener = ((type: string, listener: (event: Event) => void) => {
      if (type === "error") end = listener;
      else worker.addEventListener("message", listener);
    }) as typeof worker.addEventListener;
    const backend = await RemoteBackend.open({ ...worker, addEventListener }, {});
    const program = await addOne(backend, new Variable("v", [1]));
    end(Object.assign(new Event("error"), { message: "out of memory" }));
    await expect(program.run([])).rejects.toThrow("worker: out of memory");
  });
});
