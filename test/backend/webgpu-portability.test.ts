import { afterEach, describe, expect, test, vi } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { OutOfMemory } from "../../src/backend/common/out-of-memory.ts";
import { compile } from "../../src/backend/compile.ts";
import { emitProgram, scheduleProgram } from "../../src/backend/webgpu/program/gpu-program.ts";
import { DAWN_OPTIONS } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { PLAIN_ADAPTER } from "../../src/bench/gpu/counts.ts";
import { trainingGraph } from "../../src/bench/gpu/step-graph.ts";
import { conv2d, softmax } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { largestDifference } from "../support/evaluate.ts";
import { Random } from "../support/random.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { inputLeaves, runOnce } from "./context.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000 });

const fault = await whyNoWebGpu();

/** What the specification promises of every adapter, and phones and Safari have no more of. */
const LEAST = {
  maxBufferSize: 256 << 20,
  maxStorageBufferBindingSize: 128 << 20,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
} as const;

interface Claims {
  readonly limits?: Readonly<Record<string, number>>;
  readonly features?: readonly string[];
  /** Whether shaders that enable an extension are refused, as by naga. */
  readonly refusesDirectives?: boolean;
}

/** Dawn crashes if this is collected while one of its devices is in use. */
let dawn: GPU | undefined;
const opened: WebGpuBackend[] = [];
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

/** A backend on an adapter that says this of itself; its device is held to it. */
async function openOn({ limits, features, refusesDirectives = false }: Claims): Promise<WebGpuBackend> {
  dawn ??= (await import("webgpu")).create([...DAWN_OPTIONS]);
  const real = dawn;
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await real.requestAdapter(options);
    if (!adapter) return null;
    return {
      info: { ...infoOf(adapter), ...(refusesDirectives ? { subgroupMinSize: 4, subgroupMaxSize: 4 } : {}) },
      limits: { ...limitsOf(adapter), ...limits },
      features: features ? new Set(features) : adapter.features,
      requestDevice: async (descriptor?: GPUDeviceDescriptor) => {
        const device = await adapter.requestDevice(descriptor);
        if (refusesDirectives) refuseDirectives(device);
        return device;
      },
    } as unknown as GPUAdapter;
  };
  const gpu = { requestAdapter } as unknown as GPU;
  const backend = await WebGpuBackend.create({ gpu, clearsWorkgroupMemory: false, environment: () => undefined });
  opened.push(backend);
  return backend;
}

function infoOf({ info }: GPUAdapter): Partial<GPUAdapterInfo> {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
  return { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter: false };
}

function limitsOf({ limits }: GPUAdapter): Record<string, number> {
  return Object.fromEntries(Object.keys(LEAST).map((name) => [name, limits[name as keyof typeof LEAST]]));
}

function refuseDirectives(device: GPUDevice): void {
  const original = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) =>
    original(/^\s*(enable|requires) /m.test(descriptor.code) ? { ...descriptor, code: "refused" } : descriptor);
}

/** A convolution, its gradients, a softmax, sums in parts, and a kernel of many buffers. */
function programOfAllKinds() {
  const random = new Random(11);
  const shapes = [[4, 9, 9, 8], [3, 3, 8, 12], [40, 96], [4096, 20], ...Array.from({ length: 14 }, () => [5, 3])];
  const inputs = shapes.map((shape) => random.array(shape));
  const leaves = inputLeaves(inputs);
  const [image, filter, rows, columns, ...many] = leaves;
  const convolved = conv2d(image, filter, { padding: 1 });
  const outputs = [
    convolved,
    ...grad(convolved.square().sum(), [image, filter]),
    softmax(rows),
    rows.matmul(rows.transpose()),
    columns.sum(0),
    many.reduce((a, b) => a.multiply(b).add(a)),
  ];
  return { inputs, graph: { inputs: leaves, outputs, updates: [] } };
}

async function agreesWithReference(backend: WebGpuBackend): Promise<void> {
  const { inputs, graph } = programOfAllKinds();
  const outputs = await runOnce(backend, graph, inputs);
  const expected = await runOnce(ReferenceBackend.create(), graph, inputs);
  outputs.forEach(({ data }, i) => {
    const largest = Math.max(1, largestDifference(expected[i].data, new Float32Array(data.length)));
    expect(largestDifference(data, expected[i].data) / largest, `output ${i}`).toBeLessThan(2e-5);
  });
}

describe.skipIf(fault !== undefined)(`WebGPU on other machines (${fault ?? "an adapter is there"})`, () => {
  test("computes the same within the least that an adapter may have, as on phones and in Safari", async () => {
    const backend = await openOn({ limits: LEAST, features: [] });
    expect(backend.device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    expect(backend.device.limits.maxStorageBufferBindingSize).toBe(128 << 20);
    expect(backend.device.limits.maxComputeWorkgroupStorageSize).toBe(16_384);
    await agreesWithReference(backend);
  });

  test("refuses a buffer of more than 128 MiB there in one line, and goes on", async () => {
    const backend = await openOn({ limits: LEAST, features: [] });
    const large = compile(backend, ({ x }) => ({ outputs: { y: x.broadcastTo([(128 << 18) + 4]) } }));
    const refusal = await large.prepare({ x: { shape: [1], dtype: "f32" } }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(OutOfMemory);
    expect(String(refusal)).toMatch(/needs a buffer of 129 MiB, and this adapter binds 128 MiB at most/);
    await agreesWithReference(backend);
  });

  test("does without subgroups where the line that enables them is refused, as by Firefox", async () => {
    const backend = await openOn({ refusesDirectives: true });
    const shaders = vi.spyOn(backend.device, "createShaderModule");
    await agreesWithReference(backend);
    expect(shaders.mock.calls.length).toBeGreaterThan(5);
    expect(shaders.mock.calls.filter(([{ code }]) => code.includes("enable "))).toEqual([]);
  });
});

test("the article's step fits the least that an adapter may have", async () => {
  const adapter = { ...PLAIN_ADAPTER, ...LEAST };
  for (const precision of ["f32", "f16"] as const) {
    const { dispatches, plan } = emitProgram(
      scheduleProgram(await trainingGraph("dim28", 128, precision), precision, adapter),
      adapter,
    );
    expect(Math.max(...plan.sizes)).toBeLessThanOrEqual(LEAST.maxStorageBufferBindingSize);
    for (const { wgsl, bindings, invocations } of dispatches) {
      expect(bindings.length).toBeLessThanOrEqual(LEAST.maxStorageBuffersPerShaderStage);
      expect(invocations).toBeLessThanOrEqual(LEAST.maxComputeInvocationsPerWorkgroup);
      expect(workgroupBytes(wgsl)).toBeLessThanOrEqual(LEAST.maxComputeWorkgroupStorageSize);
      // naga takes no directive that it does not know.
      expect(wgsl).not.toMatch(/^(enable|requires) /m);
    }
  }
});

function workgroupBytes(wgsl: string): number {
  const bytes = { f32: 4, i32: 4, u32: 4, f16: 2, bool: 4 };
  let sum = 0;
  for (const [, vector, type, length] of wgsl.matchAll(/var<workgroup> \w+: array<(?:vec([24])<)?(\w+?)>?, (\d+)>/g))
    sum += Number(vector ?? 1) * bytes[type as keyof typeof bytes] * Number(length);
  return sum;
}
