import type { ProgramProfile } from "../../src/bench/measure-profile.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import type { SizeName } from "../../src/bench/sizes.ts";
import type { Contestant } from "../contest/participant.ts";
import type { CodeShare } from "../gpu-code/gpu-code.ts";
import type { Referee } from "../contest/referee.ts";
import type { CountedRow } from "./gpu-counts.ts";

export interface Plan {
  readonly threads: number;
  readonly peers: readonly Contestant[];
  readonly rounds: number;
  /** Instead of each workload's own. */
  readonly batchSize: number | undefined;
  /** Whether programs of the table of sizes are profiled too. */
  readonly profilesSizes: boolean;
  readonly referee: Referee;
  /** Told what happens, for people who wait. */
  readonly say: (line: string) => void;
  /** Told which peer is left out, and why. */
  readonly warn: (line: string) => void;
}

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

export interface Measurement {
  /** What --only calls it. */
  readonly id: string;
  /** Whether it is ours alone, and done only where it is asked for. */
  readonly isCount?: boolean;
  run(plan: Plan): Promise<Outcome>;
}
