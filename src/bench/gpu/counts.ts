import { bytesOf, flopsOf } from "../../backend/common/kernel-cost.ts";
import type { Precision } from "../../backend/common/precision.ts";
import type { AdapterTraits } from "../../backend/webgpu/emit/adapter.ts";
import type { Dispatch } from "../../backend/webgpu/emit/dispatch.ts";
import { isProduct, productSize } from "../../backend/webgpu/kernels/product-size.ts";
import { chunksOf } from "../../backend/webgpu/program/chunks.ts";
import { emitProgram, scheduleProgram } from "../../backend/webgpu/program/gpu-program.ts";
import type { GpuProgram } from "../../backend/webgpu/program/gpu-program.ts";
import { secondsOf } from "../../backend/webgpu/program/time-model.ts";
import { LONGEST_SUBMISSION } from "../../backend/webgpu/runtime/submissions.ts";
import type { Buffer, Kernel } from "../../compiler/program.ts";
import type { Graph } from "../../tensor/graph.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { gpus } from "./gpus.ts";
import type { GpuName } from "./gpus.ts";

/** Workgroups without which a large GPU has idle cores. */
const FEW_WORKGROUPS = 128;
/** A reduction of more elements is worth more workgroups than that. */
const LARGE_REDUCTION = 65_536;
/** Terms of a product that can be shared out at least twice. */
const SPLITTABLE_TERMS = 256;

/** What kernels of one kind come to. */
export interface KindCounts {
  readonly kind: Kernel["kind"];
  readonly dispatches: number;
  readonly shaders: number;
  readonly flops: number;
  readonly bytes: number;
  /** Dispatches of fewer workgroups than a large GPU has cores. */
  readonly small: number;
}

/** What can be said of a program without a GPU. All but times is exact. */
export interface GpuCounts {
  readonly dispatches: number;
  /** Different ones. */
  readonly shaders: number;
  readonly flops: number;
  /** Read and written, each buffer once for each kernel. */
  readonly bytes: number;
  /** Of intermediate results. */
  readonly workspaceBytes: number;
  /** Of the largest buffer. */
  readonly largestBytes: number;
  /** Dispatches before which small buffers are copied into one, and the copies. */
  readonly packs: number;
  readonly copies: number;
  /** The most loads that an invocation of a reduction does one after the other. */
  readonly longestSerialLoop: number;
  /** Reductions under 128 workgroups though they have over 64 Ki elements. */
  readonly smallReductions: number;
  /** Products and convolutions under 128 workgroups though their sums could be shared out. */
  readonly smallProducts: number;
  readonly kinds: readonly KindCounts[];
  /** Seconds of the longest submission on an integrated GPU, by the model, and how many there are. */
  readonly longestSubmission: number;
  readonly submissions: number;
  /** What the model of time says. */
  readonly seconds: Readonly<Record<GpuName, number>>;
}

/** What shaders are written for where nothing else is said: an adapter that is no one's in particular, without matrix units. */
export const PLAIN_ADAPTER: AdapterTraits = {
  maxStorageBuffersPerShaderStage: 10,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 32_768,
  smallTiles: false,
};

/** Compiles a graph as for a GPU and counts what comes of it. */
export function countGraph(graph: Graph, precision: Precision, adapter: AdapterTraits = PLAIN_ADAPTER): GpuCounts {
  return countProgram(emitProgram(scheduleProgram(graph, precision, adapter), adapter), adapter);
}

export function countProgram(gpuProgram: GpuProgram, adapter: AdapterTraits): GpuCounts {
  const { program, dispatches, storage, plan } = gpuProgram;
  const elementBytes = (buffer: Buffer): number => (storage.isHalf(buffer) ? 2 : 4);
  const works = program.kernels.map((kernel, i) => ({ kernel, dispatch: dispatches[i] }));
  const chunks = chunksOf(gpuProgram.seconds, LONGEST_SUBMISSION);
  const packs = dispatches.flatMap(({ pack }) => pack ?? []);
  const secondsOn = (name: GpuName): number =>
    sum(works, ({ kernel, dispatch }) => secondsOf(kernel, dispatch, storage, adapter, gpus[name]));
  return {
    dispatches: dispatches.length,
    shaders: distinct(dispatches),
    flops: sum(works, ({ kernel }) => flopsOf(kernel)),
    bytes: sum(works, ({ kernel }) => bytesOf(kernel, elementBytes)),
    workspaceBytes: sum(plan.sizes, (size) => size),
    largestBytes: Math.max(0, ...plan.sizes, ...program.buffers.map((buffer) => storage.bytesOf(buffer))),
    packs: packs.length,
    copies: sum(packs, ({ offsets }) => offsets.size),
    longestSerialLoop: Math.max(0, ...dispatches.map(({ serialSteps = 0 }) => serialSteps)),
    smallReductions: works.filter(isSmallReduction).length,
    smallProducts: works.filter(isSmallProduct).length,
    kinds: kindsOf(works, elementBytes),
    longestSubmission: Math.max(...chunks.map((chunk) => chunk.seconds)),
    submissions: chunks.length,
    seconds: {
      H100: secondsOn("H100"),
      M2: secondsOn("M2"),
      "Radeon 680M": secondsOn("Radeon 680M"),
    },
  };
}

interface Work {
  readonly kernel: Kernel;
  readonly dispatch: Dispatch;
}

function isSmallReduction({ kernel, dispatch }: Work): boolean {
  return kernel.kind === "reduce" && dispatch.workgroups < FEW_WORKGROUPS && sizeOf(kernel.axes) > LARGE_REDUCTION;
}

function isSmallProduct({ kernel, dispatch }: Work): boolean {
  return isProduct(kernel) && dispatch.workgroups < FEW_WORKGROUPS && productSize(kernel).inner >= SPLITTABLE_TERMS;
}

function kindsOf(works: readonly Work[], elementBytes: (buffer: Buffer) => number): KindCounts[] {
  const kinds = [...new Set(works.map(({ kernel }) => kernel.kind))].toSorted();
  return kinds.map((kind) => {
    const own = works.filter(({ kernel }) => kernel.kind === kind);
    return {
      kind,
      dispatches: own.length,
      shaders: distinct(own.map(({ dispatch }) => dispatch)),
      flops: sum(own, ({ kernel }) => flopsOf(kernel)),
      bytes: sum(own, ({ kernel }) => bytesOf(kernel, elementBytes)),
      small: own.filter(({ dispatch }) => dispatch.workgroups < FEW_WORKGROUPS).length,
    };
  });
}

function distinct(dispatches: readonly Dispatch[]): number {
  return new Set(dispatches.map(({ wgsl }) => wgsl)).size;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
