import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import { DeviceLost } from "../../src/backend/common/device-lost.ts";
import { OutOfMemory } from "../../src/backend/common/out-of-memory.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { withSpareDevice } from "../../src/backend/spare-device.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { Unet } from "../../src/models/unet/unet.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import { runParity } from "../../src/parity/parity.ts";
import { RunDirectory } from "../../src/checkpoint/run-directory.node.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import { iota, valueOf } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import { largestDifference } from "../support/evaluate.ts";
import { parityFiles } from "../support/parity-files.ts";
import { Random } from "../support/random.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { inputLeaves, runOnce } from "./context.ts";

vi.setConfig({ testTimeout: 600_000 });

const fault = await whyNoWebGpu();

const opened: WebGpuBackend[] = [];
const open = async (): Promise<WebGpuBackend> => {
  const backend = await createWebGpuBackend();
  opened.push(backend);
  return backend;
};
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

/** Counts the steps of a variable, and gives what it was before. */
const counter = (backend: Backend) => {
  const v = new Variable("v", [300]);
  const step = compile(backend, ({ x }) => ({
    outputs: { sum: valueOf(v).sum() },
    updates: [{ variable: v, value: valueOf(v).add(x) }],
  }));
  return { v, step };
};

describe.skipIf(fault !== undefined)(`the WebGPU backend (${fault ?? "an adapter is there"})`, () => {
  test("takes no more memory for a thousand steps than for one", async () => {
    const backend = await open();
    const { v, step } = counter(backend);
    const one = ndarray([1], []);
    await step({ x: one });
    await v.read();
    const before = backend.allocatedBytes;
    for (let i = 1; i < 1000; i++) await step({ x: one });
    expect((await v.read())[0]).toBe(1000);
    expect(backend.allocatedBytes).toBe(before);
  });

  test("gives all memory back when programs are disposed of and variables leave", async () => {
    const backend = await open();
    const { v, step } = counter(backend);
    await step({ x: ndarray([1], []) });
    await v.read();
    const before = backend.allocatedBytes;
    const program = compile(backend, ({ x }) => ({ outputs: { y: x.exp().reverse([0]).sum() } }));
    await program({ x: ndarray(new Float32Array(100_000), [100_000]) });
    expect(backend.allocatedBytes).toBeGreaterThanOrEqual(before + 400_000);
    program.dispose();
    await step({ x: ndarray([1], []) });
    expect(backend.allocatedBytes).toBe(before);
    await v.moveToHost();
    expect(backend.allocatedBytes).toBe(before - 1200);
  });

  test("starts steps without waiting for the results of those before", async () => {
    const backend = await open();
    const { step } = counter(backend);
    const one = ndarray([1], []);
    await step({ x: one });
    const submit = vi.spyOn(backend.device.queue, "submit");
    const arrivals: number[] = [];
    const runs = Array.from({ length: 5 }, async () => {
      await step({ x: one });
      arrivals.push(submit.mock.calls.length);
    });
    await Promise.all(runs);
    expect(arrivals).toEqual([5, 5, 5, 5, 5]);
  });

  test("reads more buffers in one kernel than an adapter binds", async () => {
    const backend = await open();
    const { maxStorageBuffersPerShaderStage: most } = backend.device.limits;
    const inputs = Array.from({ length: most + 8 }, (_, i) => ndarray([i, 2 * i, -i], [3]));
    const sum = compile(backend, (inputs) => ({
      outputs: { y: Object.values<Tensor>(inputs).reduce((a, b) => a.add(b)) },
    }));
    const total = (inputs.length * (inputs.length - 1)) / 2;
    expect([...(await sum(Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])))).y.data]).toEqual([
      total,
      2 * total,
      -total,
    ]);
  });

  test("runs kernels of more workgroups than one dimension takes", async () => {
    const backend = await open();
    const n = 65_536 * 256 + 1;
    const count = compile(backend, ({ x }) => ({ outputs: { y: iota([n]).add(x) } }));
    const { data } = (await count({ x: ndarray([5], [], "i32") })).y;
    expect(data.findIndex((value, i) => value !== i + 5)).toBe(-1);
    expect(data.length).toBe(n);
  });

  test("computes each of more products than one dimension takes once, and no others", async () => {
    const backend = await open();
    const n = 65_535 + 100;
    const numbers = Float32Array.from({ length: n }, (_, i) => i % 1009);
    const products = compile(backend, ({ x }) => ({
      outputs: { y: x.reshape([n, 1, 1]).matmul(x.reshape([n, 1, 1])) },
    }));
    const { data } = (await products({ x: ndarray(numbers, [n]) })).y;
    expect(data.findIndex((value, i) => value !== numbers[i] ** 2)).toBe(-1);
    expect(data.length).toBe(n);
  });

  test("refuses a buffer beyond what the adapter binds, and says what would fit", async () => {
    const backend = await open();
    const { maxStorageBufferBindingSize: most } = backend.device.limits;
    const rows = Math.ceil(most / 4096) + 1;
    const program = compile(backend, ({ x }) => ({
      outputs: { y: x.broadcastTo([rows, 1024]).exp(), z: x.broadcastTo([rows, 1024]).exp().sum(0) },
    }));
    const refusal = await program.prepare({ x: { shape: [1, 1024], dtype: "f32" } }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(OutOfMemory);
    expect(String(refusal)).toMatch(/^Error: webgpu: .* MiB, and this adapter binds .* MiB at most; a batch of 99 % /);
  });

  test.skipIf(!existsSync("/usr/bin/prlimit"))(
    "loses nothing when the system has no memory to give, and says how much it takes",
    async () => {
      const script = fileURLToPath(new URL("scarce-memory.ts", import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [script]);
      expect(JSON.parse(stdout)).toEqual({
        program: expect.stringMatching(
          /^OutOfMemory: webgpu: the device has no 1,02\d MiB .* the program; a smaller batch needs less$/,
        ) as string,
        variable: expect.stringMatching(
          /^OutOfMemory: webgpu: the device has no 256 MiB .* variable large; a smaller batch needs less$/,
        ) as string,
        unasked: expect.stringMatching(
          /^Error: webgpu: the device ran out of memory \(.*\); a smaller batch needs less$/,
        ) as string,
        kept: { counter: [2, 2, 2], large: 3, bytes: 0 },
      });
    },
  );

  test("says in one line that the device is gone, whatever is asked of it", async () => {
    const backend = await open();
    const { v, step } = counter(backend);
    await step({ x: ndarray([1], []) });
    const running = step({ x: ndarray([1], []) });
    backend.device.destroy();
    await expect(running).rejects.toThrow(DeviceLost);
    await expect(step({ x: ndarray([1], []) })).rejects.toThrow(/^webgpu: the device was lost: [^\n]+$/);
    await expect(v.read()).rejects.toThrow(DeviceLost);
    await expect(
      compile(backend, ({ x }) => ({ outputs: { x } })).prepare({ x: { shape: [], dtype: "f32" } }),
    ).rejects.toThrow(DeviceLost);
    await backend.close();
  });

  test("sums long contractions in parts, and times each of its kernels", async () => {
    const backend = await open();
    const random = new Random(4);
    const inputs = [random.array([4, 8192]), random.array([8192, 8]), random.array([64, 6, 6, 4])];
    const leaves = inputLeaves(inputs);
    const [a, b, image] = leaves;
    const filter = new Variable("filter", [3, 3, 4, 4], { data: random.array([3, 3, 4, 4]).data });
    const [gradient] = grad(conv2d(image, valueOf(filter), { padding: 1 }).square().sum(), [valueOf(filter)]);
    const graph = { inputs: leaves, outputs: [a.matmul(b).add(1), gradient], updates: [] };
    const executable = await backend.load(graph);
    const timings = await executable.profile(inputs);
    const kinds = executable.program.kernels.map(({ kind }) => kind);
    // The compiler sums both in parts, and so does the backend once more.
    expect(kinds.filter((kind) => kind === "reduce")).toHaveLength(4);
    expect(timings.map(({ name }) => name.replace(/_\d+$/, ""))).toEqual(kinds);
    expect(timings.every(({ seconds }) => seconds >= 0 && seconds < 60)).toBe(true);
    expect(timings.reduce((sum, { seconds }) => sum + seconds, 0)).toBeGreaterThan(0);
    const outputs = await executable.run(inputs);
    const expected = await runOnce(ReferenceBackend.create(), graph, inputs);
    outputs.forEach(({ data }, i) => expect(largestDifference(data, expected[i].data)).toBeLessThan(2e-3));
  });

  test("takes small tiles where a GPU in software clears workgroup memory, as in a page, with the same results", async () => {
    const { create } = await import("webgpu");
    const platform = { gpu: create([]), clearsWorkgroupMemory: true, environment: () => undefined };
    const backend = await WebGpuBackend.create(platform);
    opened.push(backend);
    const random = new Random(5);
    const inputs = [random.array([3, 7, 7, 5]), random.array([3, 3, 5, 18]), random.array([40, 18])];
    const leaves = inputLeaves(inputs);
    const [image, filter, matrix] = leaves;
    const convolved = conv2d(image, filter, { padding: 1 });
    const product = matrix.matmul(convolved.reshape([-1, 18]).transpose([1, 0]));
    const graph = { inputs: leaves, outputs: [convolved, product], updates: [] };
    const outputs = await runOnce(backend, graph, inputs);
    const expected = await runOnce(ReferenceBackend.create(), graph, inputs);
    outputs.forEach(({ data }, i) => expect(largestDifference(data, expected[i].data)).toBeLessThan(2e-4));
  });

  test("repeats what PyTorch computed: predictions, gradients and samples", async () => {
    const options = { variants: ["standardized"], parts: ["prediction", "gradients", "sample"] } as const;
    const [{ checks }] = await runParity(parityFiles("rgb-self-condition"), await open(), options);
    expect(checks.filter(({ pass }) => !pass)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(["gradients", "sample of 10 steps"]));
  });

  test("repeats PyTorch's predictions for the article's gray model as it is printed", async () => {
    const [{ checks }] = await runParity(parityFiles("gray"), await open(), {
      variants: ["printed"],
      parts: ["prediction"],
    });
    expect(checks.map(({ name, pass }) => [name, pass])).toEqual([
      ["parameter count", true],
      ["x_noisy", true],
      ["prediction", true],
    ]);
  });

  test("trains as the reference does, on from the last checkpoint when the device is lost, and draws the same", async () => {
    const path = await mkdtemp(join(tmpdir(), "unnoise-"));
    const images = Uint8Array.from({ length: 16 * 64 }, (_, i) => (i * 37) % 256);
    const dataset = memoryDataset({ name: "ramps", images, shape: [16, 8, 8, 1] });
    const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(10), samplingTimesteps: 2 });
    const begun: number[] = [];
    const losses = new Map<number, number>();
    const train = async (backend: Backend, runDirectory?: RunDirectory): Promise<Float32Array> => {
      const trainer = new Trainer({
        model: new Unet({ dim: 4, channels: 1, dimMults: [1], resnetBlockGroups: 2 }),
        diffusion,
        dataset,
        batchSize: 4,
        learningRate: 1e-3,
        runDirectory,
        saveEvery: 2,
        backend,
      });
      begun.push(await trainer.prepare());
      for await (const { step, loss } of trainer.run({ steps: 4 })) {
        losses.set(step, loss);
        if (step === 3 && begun.length === 1) opened[0].device.destroy();
      }
      const { data } = await diffusion.sample(trainer.samplingModel, { batchSize: 2, imageSize: 8, seed: 5, backend });
      return Float32Array.from(data);
    };
    const lines: string[] = [];
    const say = (line: string): void => void lines.push(line);
    const onGpu = await withSpareDevice({ open, log: say }, (backend) => train(backend, new RunDirectory(path)));
    await rm(path, { recursive: true });
    expect(begun).toEqual([0, 2]);
    expect(lines).toEqual([expect.stringMatching(/^webgpu: the device was lost: .*, from the last checkpoint$/)]);
    const gpuLosses = [...losses.values()];
    const expected = await train(ReferenceBackend.create());
    expect(largestDifference(gpuLosses, [...losses.values()])).toBeLessThan(1e-5);
    // Adam divides by the root of squared gradients, so that rounding moves parameters by up to the learning rate.
    expect(largestDifference(onGpu, expected)).toBeLessThan(1e-3);
  });
});
