import type { GpuCounts } from "../../src/bench/gpu/counts.ts";
import type { ProgramProfile } from "../../src/bench/measure-profile.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import type { SizeName } from "../../src/bench/sizes.ts";

export interface Outcome {
  readonly results: readonly BenchResult[];
  readonly profiles: readonly ProgramProfile[];
  /** What everybody ran on. */
  readonly descriptions: readonly string[];
  /** Where this is a row of the table of sizes. */
  readonly row?: SizeRow;
  /** Where nothing was timed but counted. */
  readonly counts?: readonly CountedRow[];
  /** Where machine code is counted. */
  readonly code?: readonly CodeShare[];
}

/** What a training step and a forward pass of a size take, beside others. */
export interface SizeRow {
  readonly size: SizeName;
  /** "64 channels, 64x64x3, batch 8" */
  readonly title: string;
  readonly train: BenchResult;
  readonly forward: BenchResult;
  /** Of the processes that train. */
  readonly memory: BenchResult;
}

/** What programs ask of a GPU, counted without one. */
export interface CountedRow extends GpuCounts {
  readonly title: string;
}

/** How much of what a GPU's vector units are given are multiply-adds, in the loop of a product: counted, not measured. */
export interface CodeShare {
  readonly kernel: string;
  readonly tile: string;
  readonly workgroups: number;
  readonly f32: number;
  readonly f16: number;
}
