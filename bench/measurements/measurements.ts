import type { SizeName } from "../../src/bench/sizes.ts";
import { countForGpu } from "./gpu-counts.ts";
import { countGpuCode } from "../gpu-code/gpu-code.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { compareProcesses } from "./processes.ts";
import { compareSize } from "./sizes.ts";
import { compareSteps, compareThreads } from "./steps.ts";

export interface Measurement {
  /** What --only calls it. */
  readonly id: string;
  /** Whether it is ours alone, and done only where it is asked for. */
  readonly isCount?: boolean;
  run(plan: Plan): Promise<Outcome>;
}

/** Rows of the table of sizes. */
const tableRows = ["dim28", "dim16", "dim32", "dim64", "dim128", "dim28-single"] as const satisfies readonly SizeName[];

/** Published models, with weights of a seed: what they take does not depend on the weights. */
const pretrained: readonly Measurement[] = [
  { id: "ddpm-cifar10-32", run: (plan) => compareSize("ddpm-cifar10-32", plan) },
  { id: "ddpm-church-256", run: (plan) => compareSteps("forward", plan, { size: "ddpm-church-256" }) },
];

const measurements: readonly Measurement[] = [
  { id: "train", run: (plan) => compareSteps("train", plan) },
  { id: "forward", run: (plan) => compareSteps("forward", plan) },
  { id: "sampling", run: (plan) => compareSteps("sampling", plan) },
  { id: "narrow", run: (plan) => compareSteps("train", plan, { simd: 128, suffix: ", 128-bit SIMD" }) },
  { id: "threads", run: compareThreads },
  { id: "process", run: (plan) => compareProcesses(plan) },
  { id: "cold", run: (plan) => compareProcesses(plan, { isCold: true }) },
  ...tableRows.map((size): Measurement => ({ id: size, run: (plan) => compareSize(size, plan) })),
  { id: "dim64-single", run: (plan) => compareSteps("forward", plan, { size: "dim64-single" }) },
  ...pretrained,
  { id: "gpu-counts", isCount: true, run: countForGpu },
  { id: "gpu-code", isCount: true, run: countGpuCode },
];

/** Several at once. */
const groups: Readonly<Record<string, readonly string[]>> = {
  sizes: tableRows,
  pretrained: pretrained.map(({ id }) => id),
};

/** What --only takes. */
export const measurementNames: readonly string[] = [...measurements.map(({ id }) => id), ...Object.keys(groups)];

/** Those of these names, all that are timed without any. */
export function measurementsOf(names: readonly string[] | undefined): readonly Measurement[] {
  if (names === undefined) return measurements.filter(({ isCount }) => isCount !== true);
  const wanted = new Set(names.flatMap((name) => groups[name] ?? [name]));
  return measurements.filter(({ id }) => wanted.has(id));
}
