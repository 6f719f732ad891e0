import { bytesOf, flopsOf } from "../../common/kernel-cost.ts";
import type { Kernel } from "../../../compiler/program.ts";
import type { AdapterTraits } from "../emit/adapter.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Storage } from "../emit/storage.ts";
import { isProduct, productSize } from "../kernels/product-size.ts";
import { chooseTile } from "../kernels/tile.ts";
import type { Tile } from "../kernels/tile.ts";

/** What the model of time below knows of a GPU. */
export interface GpuFigures {
  /** Parts that each run some workgroups at a time. */
  readonly cores: number;
  /** Floating-point operations a second at most, two for a multiply-add. */
  readonly flops: number;
  /** The same of its matrix units. */
  readonly unitFlops?: number;
  /** Bytes a second at most. */
  readonly bandwidth: number;
  /** Hertz. */
  readonly clock: number;
  /** Cycles from a load to its value. */
  readonly latency: number;
  /** Seconds between two dispatches of which one waits for the other. */
  readonly gap: number;
}

/** AMD's Radeon 680M, an integrated GPU of 2022. */
export const RADEON_680M: GpuFigures = {
  cores: 12,
  flops: 3.4e12,
  bandwidth: 60e9,
  clock: 2.2e9,
  latency: 700,
  gap: 5e-6,
};

/**
 * Shares of the most that are taken to be reached: of the bandwidth, and of multiply-adds by invocations and by matrix
 * units. Of products 0.38 was taken for loops in which about 54 % of the issue cycles are multiply-adds; now it is 90 %.
 */
const BANDWIDTH_SHARE = 0.75;
const PRODUCT_SHARE = 0.63;
const UNIT_SHARE = 0.035;
/** Invocations that one core has under way at most. */
const INVOCATIONS_OF_CORE = 2048;
/** Workgroups of a core without which it waits for memory now and then. */
const WORKGROUPS_OF_CORE = 2;

/**
 * Seconds that a dispatch takes on a GPU, by a model that no GPU has been held against yet: right to plus or minus 40 %
 * at best. Memory, multiply-adds and serial loads each take their time, and the slowest counts.
 */
export function secondsOf(
  kernel: Kernel,
  dispatch: Dispatch,
  storage: Storage,
  adapter: AdapterTraits,
  gpu: GpuFigures,
): number {
  const bytes = bytesOf(kernel, (buffer) => (storage.isHalf(buffer) ? 2 : 4));
  const memory = bytes / (gpu.bandwidth * BANDWIDTH_SHARE);
  return Math.max(memory, arithmeticSeconds(kernel, dispatch, adapter, gpu), serialSeconds(dispatch, gpu)) + gpu.gap;
}

function arithmeticSeconds(kernel: Kernel, { workgroups }: Dispatch, adapter: AdapterTraits, gpu: GpuFigures): number {
  if (!isProduct(kernel)) return flopsOf(kernel) / (gpu.flops * PRODUCT_SHARE);
  const tile = chooseTile(productSize(kernel), adapter);
  const rate = tile.unit && gpu.unitFlops ? gpu.unitFlops * UNIT_SHARE : gpu.flops * PRODUCT_SHARE;
  return paddedFlops(productSize(kernel), tile) / (rate * busyShare(workgroups / gpu.cores));
}

/** What tiles compute that reach over the edges of a product counts as well. */
function paddedFlops({ batches, rows, columns, inner }: ReturnType<typeof productSize>, tile: Tile): number {
  const whole = (n: number, of: number): number => Math.ceil(n / of) * of;
  return 2 * batches * whole(rows, tile.rows) * whole(columns, tile.columns) * whole(inner, tile.inner);
}

/** How much of the GPU so many workgroups for each core keep busy: the last round of few is not full. */
function busyShare(workgroups: number): number {
  const waiting = workgroups < WORKGROUPS_OF_CORE ? 0.7 : 1;
  const rounds = workgroups > 1 && workgroups < 6 ? Math.max(0.6, workgroups / Math.ceil(workgroups)) : 1;
  return Math.min(1, workgroups) * waiting * rounds;
}

/** An invocation's loads, half of whose latency is hidden; more invocations than fit take turns. */
function serialSeconds({ serialSteps = 0, workgroups, invocations }: Dispatch, gpu: GpuFigures): number {
  const rounds = Math.max(1, (workgroups * invocations) / (gpu.cores * INVOCATIONS_OF_CORE));
  return (serialSteps * (gpu.latency / 2) * rounds) / gpu.clock;
}
