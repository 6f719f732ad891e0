import type { Buffer, ReduceKernel } from "../../../../compiler/program.ts";
import { sizeOf } from "../../../../tensor/shape.ts";
import { reductionVectors } from "../../emit/vectors.ts";

const WORKGROUP = 256;
/** Fewer invocations leave a part of many GPUs' cores idle; where workgroups are few even so, there are half as many. */
const SMALLEST_WORKGROUP = 64;
/** Workgroups that keep a large GPU busy. */
export const ENOUGH_WORKGROUPS = 256;
/** Invocations that keep a large GPU busy, and so many that none need share a result. */
const ENOUGH_INVOCATIONS = 2 ** 18;
/** Loads that one invocation should do, at least, before others share a result with it. */
const FEWEST_LOADS = 4;
/** Neighbouring results of a workgroup, so that it reads whole lines of a cache: 64 bytes. */
const NEIGHBOURS = 16;
/** Loads that are under way at a time, and registers that their sums may take. */
const UNROLLED = 4;
const MOST_SUMS = 32;

/** How a workgroup's invocations share results and their terms out. */
export interface Layout {
  /** Whether neighbouring invocations take neighbouring terms of one result, rather than neighbouring results. */
  readonly alongTerms: boolean;
  /** Neighbours that an invocation takes at once, as a vector, and the buffers that it reads and writes so. */
  readonly width: 1 | 4;
  readonly vectors: ReadonlySet<Buffer>;
  /** Results of one workgroup, in vectors where those are neighbours. */
  readonly results: number;
  /** Invocations for each result. */
  readonly sharers: number;
  readonly workgroups: number;
}

export function layoutOf(kernel: ReduceKernel): Layout {
  const { axes, kept } = kernel;
  const { alongTerms, vectors } = reductionVectors(kernel);
  const width = vectors ? 4 : 1;
  const count = sizeOf(axes.slice(0, kept)) / (alongTerms ? 1 : width);
  const terms = sizeOf(axes.slice(kept)) / (alongTerms ? width : 1);
  const { results, sharers } = filled(
    alongTerms ? shareTerms(count, terms) : shareNeighbours(kernel, count, terms, width),
  );
  return { alongTerms, width, vectors: vectors ?? new Set(), results, sharers, workgroups: Math.ceil(count / results) };
}

type Shares = Pick<Layout, "results" | "sharers">;

/** Of few sizes of workgroups, so that more kernels share a shader: between the smallest and the largest there is none. */
function filled({ results, sharers }: Shares): Shares {
  const size = results * sharers;
  if (sharers === 1)
    return { results: size > SMALLEST_WORKGROUP && size < WORKGROUP ? SMALLEST_WORKGROUP : size, sharers };
  return { results, sharers: (size <= SMALLEST_WORKGROUP ? SMALLEST_WORKGROUP : WORKGROUP) / results };
}

/** Few results have more sharers, until all workgroups together are enough. */
function shareTerms(count: number, terms: number): Shares {
  const isEnough = (results: number): boolean => count / results >= ENOUGH_WORKGROUPS;
  let sharers = powerOfTwoUpTo(terms / FEWEST_LOADS, WORKGROUP);
  let results = Math.min(WORKGROUP / sharers, powerOfTwoUpTo(2 * count - 1, WORKGROUP));
  while (results > 1 && !isEnough(results) && results * sharers > SMALLEST_WORKGROUP) results /= 2;
  while (results > 1 && !isEnough(results) && 2 * sharers <= terms) [results, sharers] = [results / 2, 2 * sharers];
  while (!isEnough(results) && 2 * sharers <= Math.min(terms, WORKGROUP / results)) sharers *= 2;
  return { results, sharers };
}

/** A workgroup reads whole lines; only where its kernel cannot be taken in parts, and is small, narrower ones. */
function shareNeighbours(kernel: ReduceKernel, count: number, terms: number, width: number): Shares {
  const fewest = NEIGHBOURS / width;
  let sharers = powerOfTwoUpTo(terms / FEWEST_LOADS, WORKGROUP / fewest);
  while (sharers > 1 && count * sharers > ENOUGH_INVOCATIONS) sharers /= 2;
  let results = Math.min(WORKGROUP / sharers, powerOfTwoUpTo(2 * count - 1, WORKGROUP));
  const isEnough = (): boolean => count / results >= ENOUGH_WORKGROUPS;
  while (results > fewest && !isEnough() && results * sharers > SMALLEST_WORKGROUP) results /= 2;
  if (results > fewest && 2 * (count / results) < ENOUGH_WORKGROUPS && results * sharers === SMALLEST_WORKGROUP)
    results /= 2;
  while (results > 1 && !isEnough() && !isDivisible(kernel) && 2 * sharers <= terms)
    [results, sharers] = [results / 2, 2 * sharers];
  return { results, sharers };
}

/** Whether a kernel can be taken in parts, and the parts by another: it goes over the terms once, for their sums alone. */
export function isDivisible({ stages: [first, ...others] }: ReduceKernel): boolean {
  return others.length === 0 && first.stores.length === 0;
}

/** How many of a stage's loads an invocation has under way at a time. */
export function unrolledOf({ width }: Layout, accumulators: number, loads: number): number {
  if (loads < UNROLLED) return 1;
  return powerOfTwoUpTo(MOST_SUMS / Math.max(1, accumulators * width), UNROLLED);
}

/** Loads that an invocation does one after the other in all of a kernel's stages. */
export function serialStepsOf(kernel: ReduceKernel, layout: Layout): number {
  const loads = loadsOf(kernel, layout);
  const stepsOf = (unrolled: number): number => Math.floor(loads / unrolled) + (loads % unrolled);
  return kernel.stages.reduce(
    (steps, { accumulators }) => steps + stepsOf(unrolledOf(layout, accumulators.length, loads)),
    0,
  );
}

/** Loads of each stage that one invocation does. */
export function loadsOf({ axes, kept }: ReduceKernel, { alongTerms, width, sharers }: Layout): number {
  const terms = sizeOf(axes.slice(kept)) / (alongTerms ? width : 1);
  return Math.ceil(terms / sharers);
}

function powerOfTwoUpTo(n: number, most: number): number {
  let power = 1;
  while (2 * power <= n && 2 * power <= most) power *= 2;
  return power;
}
