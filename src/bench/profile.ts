import type { Executable } from "../backend/backend.ts";
import type { Buffer, Kernel, Program } from "../compiler/program.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { bytesOf, describeKernel, flopsOf } from "../backend/common/kernel-cost.ts";
import { medianOf } from "./statistics.ts";

/** An executable that can time its kernels one by one. */
export interface ProfiledExecutable extends Executable {
  readonly program: Program;
  /** Where not all elements are of 4 bytes. */
  elementBytes?(buffer: Buffer): number;
  profile(inputs: readonly NdArray[]): Promise<readonly { readonly name: string; readonly seconds: number }[]>;
}

export function isProfiled(executable: Executable): executable is ProfiledExecutable {
  return "profile" in executable && "program" in executable;
}

/** One kernel of a program, with its place in it. */
export interface KernelTiming {
  readonly index: number;
  /** The generated function: UNNOISE_DUMP=1 prints its text. */
  readonly name: string;
  /** What it is to the program, such as "convolution by filter". */
  readonly kind: string;
  readonly work: string;
  readonly seconds: number;
  /** 0 unless it is a contraction. */
  readonly flops: number;
  /** Read and written. */
  readonly bytes: number;
}

export interface KindTiming {
  readonly kind: string;
  readonly count: number;
  readonly seconds: number;
  /** Of all kernels' time, from 0 to 1. */
  readonly share: number;
  readonly flops: number;
  readonly bytes: number;
}

/**
 * Times every kernel of a program; the median of `rounds` runs counts.
 *
 * @param forwardContractions how many convolutions and dots, from the first on, belong to the forward pass
 */
export async function profileKernels(
  executable: ProfiledExecutable,
  inputs: readonly NdArray[],
  { rounds, forwardContractions }: { readonly rounds: number; readonly forwardContractions: number },
): Promise<KernelTiming[]> {
  const runs: number[][] = [];
  let names: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const timings = await executable.profile(inputs);
    names = timings.map(({ name }) => name);
    runs.push(timings.map(({ seconds }) => seconds));
  }
  const { kernels } = executable.program;
  const kinds = kindsOf(kernels, forwardContractions);
  return kernels.map((kernel, index) => ({
    index,
    name: names[index],
    kind: kinds[index],
    work: describeKernel(kernel),
    seconds: medianOf(runs.map((run) => run[index])),
    flops: flopsOf(kernel),
    bytes: bytesOf(kernel, (buffer) => executable.elementBytes?.(buffer) ?? 4),
  }));
}

/**
 * Tells the contractions of the forward pass from those of gradients. The last of the forward pass depends on all
 * others of it, and every gradient depends on that one, so the order of kernels decides.
 */
export function kindsOf(kernels: readonly Kernel[], forwardContractions: number): string[] {
  let contractions = 0;
  return kernels.map(({ kind }) => {
    if (kind === "filterGradient") return "convolution by filter";
    if (kind !== "convolution" && kind !== "dot") return kind;
    contractions++;
    if (contractions <= forwardContractions) return kind;
    return kind === "convolution" ? "convolution by input" : "dot of gradients";
  });
}

/** Sums by kind, the slowest kind first. */
export function groupByKind(kernels: readonly KernelTiming[]): KindTiming[] {
  const total = sum(kernels.map(({ seconds }) => seconds));
  const kinds = [...new Set(kernels.map(({ kind }) => kind))].map((kind): KindTiming => {
    const own = kernels.filter((kernel) => kernel.kind === kind);
    const seconds = sum(own.map((kernel) => kernel.seconds));
    return {
      kind,
      count: own.length,
      seconds,
      share: total > 0 ? seconds / total : 0,
      flops: sum(own.map(({ flops }) => flops)),
      bytes: sum(own.map(({ bytes }) => bytes)),
    };
  });
  return kinds.toSorted((a, b) => b.seconds - a.seconds);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
