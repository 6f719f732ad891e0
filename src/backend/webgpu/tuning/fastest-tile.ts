import type { Buffer } from "../../../compiler/program.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import { OutOfMemory } from "../../common/out-of-memory.ts";
import type { Device } from "../runtime/device.ts";
import { emitKernel } from "../kernels/kernels.ts";
import type { Memory } from "../runtime/memory.ts";
import { Pipelines } from "../runtime/pipelines.ts";
import type { KernelPipeline } from "../runtime/pipelines.ts";
import type { ProductKernel } from "../kernels/product-size.ts";
import type { AdapterTraits } from "../emit/adapter.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Storage } from "../emit/storage.ts";
import { SizesBuffer } from "../runtime/sizes.ts";
import { timeRuns } from "../runtime/stopwatch.ts";
import type { Tile } from "../kernels/tile.ts";

/** The tile by size stays unless another one takes less than this share of its time: clocks are not exact. */
const CLEARLY_FASTER = 0.95;

/** What a kernel is tried on. */
export interface TrialContext {
  readonly device: Device;
  readonly queue: JobQueue;
  readonly memory: Memory;
  readonly adapter: AdapterTraits;
  /** Of the program that the kernel is in. */
  readonly storage: Storage;
}

interface Trial extends KernelPipeline {
  readonly tile: Tile;
  readonly dispatch: Dispatch;
}

/**
 * The tile that computes a kernel in the least time, on zeros.
 *
 * @param tiles the usual one first
 * @returns undefined if none compiles, or there is no memory to try
 */
export async function fastestTile(
  context: TrialContext,
  kernel: ProductKernel,
  tiles: readonly Tile[],
): Promise<Tile | undefined> {
  const { device, queue, storage, adapter } = context;
  const pipelines = new Pipelines(device);
  const compiled = await Promise.allSettled(
    tiles.map(async (tile): Promise<Trial> => {
      const dispatch = emitKernel(kernel, storage, adapter, tile);
      const [{ pipeline, layout }] = await pipelines.compile([dispatch]);
      return { tile, dispatch, pipeline, layout };
    }),
  );
  device.check();
  const trials = compiled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const seconds = await queue.run(() => timeTrials(context, trials));
  if (!seconds) return undefined;
  const usual = trials.findIndex(({ tile }) => tile === tiles[0]);
  const fastest = seconds.indexOf(Math.min(...seconds));
  const isClear = usual === -1 || seconds[fastest] < CLEARLY_FASTER * seconds[usual];
  return trials.at(isClear ? fastest : usual)?.tile;
}

/** Seconds of each; undefined without memory to try. */
async function timeTrials(
  { device, memory, storage }: TrialContext,
  trials: readonly Trial[],
): Promise<number[] | undefined> {
  if (trials.length === 0) return undefined;
  const buffers = [...new Set(trials.flatMap(({ dispatch }) => dispatch.bindings.map(({ buffer }) => buffer)))];
  const sizes = buffers.map((buffer) => storage.bytesOf(buffer));
  const places = await memory.allocate(sizes, "tuning").catch((error: unknown) => {
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  });
  if (!places) return undefined;
  const uniforms = await SizesBuffer.create(
    memory,
    device.gpu.limits,
    trials.map(({ dispatch }) => dispatch),
  );
  const placeOf = (buffer: Buffer): GPUBuffer => places[buffers.indexOf(buffer)];
  try {
    const runs = trials.map(({ pipeline, layout, dispatch }) => {
      const { bindings, grid } = dispatch;
      const entries: GPUBindGroupEntry[] = bindings.map(({ buffer }, binding) => ({
        binding,
        resource: { buffer: placeOf(buffer) },
      }));
      entries.push(...uniforms.entriesOf(dispatch));
      return { pipeline, group: device.gpu.createBindGroup({ layout, entries }), grid };
    });
    return await timeRuns(device, runs);
  } finally {
    for (const place of places) memory.free(place);
    if (uniforms.buffer) memory.free(uniforms.buffer);
  }
}
