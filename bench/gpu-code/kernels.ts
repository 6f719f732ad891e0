import type { Precision } from "../../src/backend/common/precision.ts";
import { measuredTarget } from "../../src/backend/common/measured-target.ts";
import type { AdapterTraits } from "../../src/backend/webgpu/emit/adapter.ts";
import { storageOf } from "../../src/backend/webgpu/emit/storage.ts";
import { emitKernel } from "../../src/backend/webgpu/kernels/kernels.ts";
import { isProduct, productSize } from "../../src/backend/webgpu/kernels/product-size.ts";
import { splitContractions } from "../../src/backend/webgpu/kernels/split.ts";
import { chooseTile } from "../../src/backend/webgpu/kernels/tile.ts";
import type { Tile } from "../../src/backend/webgpu/kernels/tile.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

/** What WebGPU promises of every adapter. */
export const LEAST_ADAPTER: AdapterTraits = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16_384,
  smallTiles: false,
};

export interface ProductCode {
  readonly wgsl: string;
  readonly workgroups: number;
  readonly tile: Tile;
}

const input = (index: number, shape: readonly number[]): Tensor =>
  new Tensor({ kind: "input", index, shape, dtype: "f32" }, []);

export interface ConvolutionSize {
  readonly batch: number;
  /** Of the image, which is square. */
  readonly side: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel?: number;
  readonly stride?: number;
}

/** Padded so that the image stays as large but for the stride. */
export function convolutionOf(size: ConvolutionSize): { leaves: Tensor[]; result: Tensor } {
  const { batch, side, inChannels, outChannels, kernel = 3, stride = 1 } = size;
  const leaves = [input(0, [batch, side, side, inChannels]), input(1, [kernel, kernel, inChannels, outChannels])];
  return { leaves, result: conv2d(leaves[0], leaves[1], { stride, padding: (kernel - 1) / 2 }) };
}

/** The products of a graph as shaders for any adapter. */
export function productsOf(leaves: readonly Tensor[], outputs: readonly Tensor[], precision: Precision): ProductCode[] {
  const compiled = compileGraph({ inputs: leaves, outputs, updates: [] }, measuredTarget);
  const program = { ...compiled, kernels: splitContractions(compiled.kernels, LEAST_ADAPTER) };
  const storage = storageOf(program, precision);
  return program.kernels.filter(isProduct).map((kernel) => {
    const { wgsl, workgroups } = emitKernel(kernel, storage, LEAST_ADAPTER);
    return { wgsl, workgroups, tile: chooseTile(productSize(kernel), LEAST_ADAPTER) };
  });
}

/** A kernel whose machine code is counted. */
export interface TypicalKernel {
  readonly name: string;
  readonly code: (precision: Precision) => ProductCode;
}

const convolution = (name: string, size: ConvolutionSize): TypicalKernel => ({
  name,
  code: (precision) => {
    const { leaves, result } = convolutionOf(size);
    return productsOf(leaves, [result], precision)[0];
  },
});

/** The gradient by the filter, whose product is the last of its graph. */
const filterGradient = (name: string, size: ConvolutionSize): TypicalKernel => ({
  name,
  code: (precision) => {
    const { leaves, result } = convolutionOf(size);
    const codes = productsOf(leaves, grad(result.square().sum(), [leaves[1]]), precision);
    return codes[codes.length - 1];
  },
});

const product = (name: string, rows: number, inner: number, columns: number, isTransposed = false): TypicalKernel => ({
  name,
  code: (precision) => {
    const leaves = [input(0, isTransposed ? [inner, rows] : [rows, inner]), input(1, [inner, columns])];
    const lhs = isTransposed ? leaves[0].transpose() : leaves[0];
    return productsOf(leaves, [lhs.matmul(leaves[1])], precision)[0];
  },
});

/** Of the article's training step (28, 56 and 112 channels, batch 128), CIFAR-10's and Stable Diffusion's. */
export const typicalKernels: readonly TypicalKernel[] = [
  convolution("3x3, 28 channels, 28x28", { batch: 128, side: 28, inChannels: 28, outChannels: 28 }),
  convolution("3x3, 56 channels, 14x14", { batch: 128, side: 14, inChannels: 56, outChannels: 56 }),
  convolution("3x3, 112 channels, 7x7", { batch: 128, side: 7, inChannels: 112, outChannels: 112 }),
  convolution("1x1, 56 to 28 channels, 28x28", { batch: 128, side: 28, inChannels: 56, outChannels: 28, kernel: 1 }),
  convolution("3x3, 128 channels, 32x32", { batch: 128, side: 32, inChannels: 128, outChannels: 128 }),
  convolution("3x3, stride 2, 128 channels, 32x32", {
    batch: 16,
    side: 32,
    inChannels: 128,
    outChannels: 128,
    stride: 2,
  }),
  convolution("3x3, 320 channels, 64x64", { batch: 2, side: 64, inChannels: 320, outChannels: 320 }),
  convolution("3x3, 1280 channels, 8x8", { batch: 2, side: 8, inChannels: 1280, outChannels: 1280 }),
  filterGradient("filter, 28 channels, 28x28", { batch: 128, side: 28, inChannels: 28, outChannels: 28 }),
  filterGradient("filter, 128 channels, 32x32", { batch: 128, side: 32, inChannels: 128, outChannels: 128 }),
  product("4096 x 1024 x 1024", 4096, 1024, 1024),
  product("4096 x 1024 x 1024, transposed", 4096, 1024, 1024, true),
  product("4095 x 1021 x 1023", 4095, 1021, 1023),
];
