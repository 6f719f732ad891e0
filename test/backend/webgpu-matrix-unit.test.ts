import { describe, expect, test, vi } from "vitest";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { measuredTarget } from "../../src/backend/common/measured-target.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { emitKernel } from "../../src/backend/webgpu/kernels/kernels.ts";
import type { MatrixUnit } from "../../src/backend/webgpu/emit/adapter.ts";
import { SUBGROUP_MATRIX } from "../../src/backend/webgpu/runtime/device.ts";
import { chooseMatrixUnit } from "../../src/backend/webgpu/runtime/matrix-unit.ts";
import { isProduct } from "../../src/backend/webgpu/kernels/product-size.ts";
import { storageOf } from "../../src/backend/webgpu/emit/storage.ts";
import type { Precision } from "../../src/backend/common/precision.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Random } from "../support/random.ts";
import { largestDifference } from "../support/evaluate.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { evaluate, inputLeaves } from "./context.ts";

vi.setConfig({ testTimeout: 300_000 });

interface ProductCase {
  readonly inputs: readonly NdArray[];
  readonly build: (inputs: readonly Tensor[]) => Tensor[];
}

const random = new Random(6);

/** Products whose operands and results lie in memory in every way that kernels tell apart, of sizes that fill no tile. */
const cases: Readonly<Record<string, ProductCase>> = {
  "of matrices, in fours": {
    inputs: [random.array([2, 40, 24]), random.array([2, 24, 20])],
    build: ([a, b]) => [a.matmul(b).add(1)],
  },
  "of matrices, one by one": {
    inputs: [random.array([67, 21]), random.array([21, 11])],
    build: ([a, b]) => [a.matmul(b)],
  },
  "of a transposed matrix": {
    inputs: [random.array([24, 44]), random.array([24, 12])],
    build: ([a, b]) => [a.transpose().matmul(b)],
  },
  "of images and filters, and their gradients": {
    inputs: [random.array([1, 6, 7, 12]), random.array([3, 3, 12, 12])],
    build: ([image, filter]) => {
      const convolved = conv2d(image, filter, { padding: 1 });
      return [convolved, ...grad(convolved.square().sum(), [image, filter])];
    },
  },
};

const units: readonly (readonly [Precision, MatrixUnit])[] = [
  ["f16", { component: "f16", rows: 16, columns: 16, inner: 16, subgroupSize: 32 }],
  ["f16", { component: "f16", rows: 8, columns: 16, inner: 16, subgroupSize: 16 }],
  ["f16", { component: "f32", rows: 8, columns: 8, inner: 8, subgroupSize: 32 }],
  ["f32", { component: "f32", rows: 8, columns: 8, inner: 8, subgroupSize: 32 }],
  ["f32", { component: "f32", rows: 16, columns: 16, inner: 8, subgroupSize: 64 }],
];

/** Dawn crashes if one of these is collected while its devices are in use. */
const kept: GPU[] = [];

async function createDawn(...options: string[]): Promise<GPU> {
  const { create } = await import("webgpu");
  const gpu = create(options);
  kept.push(gpu);
  return gpu;
}

/** What takes the largest tiles, along all three dimensions of which they repeat. */
const large: ProductCase = {
  inputs: [random.array([2560, 64]), random.array([64, 1024])],
  build: ([a, b]) => [a.matmul(b)],
};

/** The WGSL of a case's products for a matrix unit. */
function shadersOf({ inputs, build }: ProductCase, precision: Precision, matrixUnit: MatrixUnit): string[] {
  const leaves = inputLeaves(inputs);
  const program = compileGraph({ inputs: leaves, outputs: build(leaves), updates: [] }, measuredTarget);
  const storage = storageOf(program, precision);
  const adapter = {
    maxStorageBuffersPerShaderStage: 8,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupStorageSize: 16_384,
    smallTiles: false,
    matrixUnit,
  };
  return program.kernels.filter(isProduct).map((kernel) => emitKernel(kernel, storage, adapter).wgsl);
}

/** What Tint, Dawn's compiler of WGSL, says of a shader. Dawn's null backend has every feature, but runs nothing. */
async function complaintsOf(device: GPUDevice, wgsl: string): Promise<string[]> {
  device.pushErrorScope("validation");
  const { messages } = await device.createShaderModule({ code: wgsl }).getCompilationInfo();
  await device.popErrorScope();
  return messages.map(({ type, lineNum, message }) => `${type}, line ${lineNum}: ${message}`);
}

async function nullDevice(): Promise<GPUDevice> {
  const gpu = await createDawn("backend=null", "enable-dawn-features=allow_unsafe_apis");
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("Dawn has no null backend");
  const features = ["shader-f16", "subgroup-size-control", SUBGROUP_MATRIX] as GPUFeatureName[];
  return adapter.requestDevice({ requiredFeatures: features });
}

/** Subgroups of four multiply [8, 4] x [4, 16]: no two sides alike. */
const EMULATED = { componentType: "f32", resultComponentType: "f32", M: 8, N: 16, K: 4 };

/** Matrices as arrays that every invocation has the whole of. */
const MATRICES = `
alias Left = array<f32, 32>;
alias Right = array<f32, 64>;
alias Result = array<f32, 128>;
fn left_at(i: u32) -> f32 { return lhs_tile[i / 4u][i % 4u]; }
fn right_at(i: u32) -> f32 { return rhs_tile[i / 4u][i % 4u]; }
fn load_left_row(offset: u32, stride: u32) -> Left {
  var matrix: Left;
  for (var i = 0u; i < 32u; i++) { matrix[i] = left_at(4u * (offset + i / 4u * stride) + i % 4u); }
  return matrix;
}
fn load_left_col(offset: u32, stride: u32) -> Left {
  var matrix: Left;
  for (var i = 0u; i < 32u; i++) { matrix[i] = left_at(4u * (offset + i % 4u * stride) + i / 4u); }
  return matrix;
}
fn load_right_row(offset: u32, stride: u32) -> Right {
  var matrix: Right;
  for (var i = 0u; i < 64u; i++) { matrix[i] = right_at(4u * (offset + i / 16u * stride) + i % 16u); }
  return matrix;
}
fn multiply_accumulate(a: Left, b: Right, sums: Result) -> Result {
  var matrix = sums;
  for (var i = 0u; i < 128u; i++) {
    for (var k = 0u; k < 4u; k++) { matrix[i] += a[i / 16u * 4u + k] * b[k * 16u + i % 16u]; }
  }
  return matrix;
}
fn store_row(offset: u32, matrix: Result, stride: u32) {
  for (var i = 0u; i < 128u; i++) { results[offset + i / 16u * stride + i % 16u] = matrix[i]; }
}`;

function emulated(wgsl: string): string {
  if (!wgsl.includes("subgroup_matrix")) return wgsl;
  const plain = wgsl
    .replaceAll(/^(enable chromium|diagnostic).*\n/gm, "")
    .replaceAll("subgroup_matrix_result<f32, 16, 8>", "Result")
    .replaceAll(/subgroupMatrixLoad<subgroup_matrix_left<f32, 4, 8>, (row|col)_major>\(&lhs_tile, /g, "load_left_$1(")
    .replaceAll("subgroupMatrixLoad<subgroup_matrix_right<f32, 16, 4>, row_major>(&rhs_tile, ", "load_right_row(")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "multiply_accumulate(")
    .replaceAll("subgroupMatrixStore<row_major>(&results, ", "store_row(");
  return plain + MATRICES;
}

/** SwiftShader, taking itself for a GPU with matrix units. */
async function gpuWithUnits(rewrite: (wgsl: string) => string): Promise<GPU> {
  const gpu = await createDawn();
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("no adapter");
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } =
    adapter.info;
  const facts = { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter };
  const requestDevice = async (descriptor: GPUDeviceDescriptor): Promise<GPUDevice> => {
    const requiredFeatures = [...(descriptor.requiredFeatures ?? [])].filter(
      (name: string) => name !== SUBGROUP_MATRIX,
    );
    const opened = await adapter.requestDevice({ ...descriptor, requiredFeatures });
    const createShaderModule = opened.createShaderModule.bind(opened);
    Object.defineProperties(opened, {
      features: { value: new Set([...opened.features, SUBGROUP_MATRIX]) },
      createShaderModule: {
        value: ({ code, ...rest }: GPUShaderModuleDescriptor) => createShaderModule({ ...rest, code: rewrite(code) }),
      },
    });
    return opened;
  };
  const fake = {
    features: new Set([...adapter.features, SUBGROUP_MATRIX]),
    limits: adapter.limits,
    info: { ...facts, subgroupMatrixConfigs: [EMULATED] },
    requestDevice,
  };
  return { requestAdapter: () => Promise.resolve(fake) } as unknown as GPU;
}

const openWithUnits = async (rewrite: (wgsl: string) => string, environment: Record<string, string> = {}) =>
  WebGpuBackend.create({
    gpu: await gpuWithUnits(rewrite),
    clearsWorkgroupMemory: false,
    environment: (name) => environment[name],
  });

const fault = await whyNoWebGpu();

describe.skipIf(fault !== undefined)(`products by emulated matrix units (${fault ?? "an adapter is there"})`, () => {
  test("agree with the reference", async () => {
    const backend = await openWithUnits(emulated);
    expect(backend.description).toMatch(/, by matrix units$/);
    for (const [name, { inputs, build }] of Object.entries(cases)) {
      const outputs = await evaluate(backend, inputs, build);
      const expected = await evaluate(ReferenceBackend.create(), inputs, build);
      outputs.forEach(({ data }, i) => expect(largestDifference(data, expected[i].data), name).toBeLessThan(2e-3));
    }
    await backend.close();
  });

  test("are not done by units that multiply wrongly, or that nobody wants", async () => {
    const wrong = await openWithUnits((wgsl) => emulated(wgsl).replace("k * 16u + i % 16u", "k * 16u + i % 15u"));
    const unwanted = await openWithUnits(emulated, { UNNOISE_SUBGROUP_MATRIX: "0" });
    for (const backend of [wrong, unwanted]) {
      expect(backend.description).not.toContain("matrix units");
      await backend.close();
    }
  });
});

describe("products by matrix units", () => {
  test.each(units)("are shaders that Tint accepts, in %s by %o", async (precision, unit) => {
    const device = await nullDevice();
    for (const [name, productCase] of Object.entries({ ...cases, large })) {
      const shaders = shadersOf(productCase, precision, unit);
      expect(shaders.length).toBeGreaterThan(0);
      for (const wgsl of shaders) {
        expect(wgsl, name).toContain("subgroupMatrixMultiplyAccumulate");
        expect(await complaintsOf(device, wgsl), `${name}\n${wgsl}`).toEqual([]);
        const swapped = wgsl.replaceAll("MultiplyAccumulate(a0, b0,", "MultiplyAccumulate(b0, a0,");
        expect(await complaintsOf(device, swapped)).not.toEqual([]);
      }
    }
    device.destroy();
  });

  test("bring their tiles in wide stores and use them often, in subgroups of the size that was asked for", async () => {
    const [precision, unit] = units[0];
    const [wgsl] = shadersOf(large, precision, { ...unit, isPinned: true });
    const loop = wgsl.slice(wgsl.indexOf("for (var tile"));
    const count = (pattern: RegExp): number => loop.match(pattern)?.length ?? 0;
    // 128 x 128 sums of 128 invocations: of each operand 16 x 128 halves, in fours.
    expect(wgsl).toContain("var<workgroup> lhs_tile: array<vec4<f16>, ");
    expect(count(/[lr]hs_tile\[.*\] = /g)).toBe(8);
    expect(count(/subgroupMatrixLoad/g)).toBe(8);
    expect(count(/subgroupMatrixMultiplyAccumulate/g)).toBe(16);
    expect(wgsl).toContain("@workgroup_size(128) @subgroup_size(32)");
    const device = await nullDevice();
    expect(await complaintsOf(device, wgsl)).toEqual([]);
    device.destroy();
  });

  test("take a unit that adds up in float32 and fits the precision", () => {
    const config = (componentType: string, resultComponentType: string, M = 16, N = 16, K = 16) => ({
      componentType,
      resultComponentType,
      M,
      N,
      K,
    });
    const nvidia = [config("u8", "u32", 16, 16, 32), config("f16", "f16"), config("f16", "f32")];
    const apple = [config("f32", "f32", 8, 8, 8), config("f16", "f16", 8, 8, 8)];
    const fixed = { size: 32, isPinned: false };
    expect(chooseMatrixUnit(nvidia, "f16", fixed)).toEqual({ ...units[0][1], isPinned: false });
    expect(chooseMatrixUnit(nvidia, "f32", fixed)).toBeUndefined();
    expect(chooseMatrixUnit(apple, "f16", fixed)).toEqual({ ...units[2][1], isPinned: false });
    expect(chooseMatrixUnit(apple, "f32", fixed)).toEqual({ ...units[3][1], isPinned: false });
    expect(chooseMatrixUnit(apple, "f32", { size: 32, isPinned: true })?.isPinned).toBe(true);
    expect(chooseMatrixUnit([], "f16", fixed)).toBeUndefined();
  });
});
