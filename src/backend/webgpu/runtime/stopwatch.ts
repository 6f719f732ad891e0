import type { Device } from "./device.ts";
import { Profiler } from "./profiler.ts";
import type { Grid } from "../emit/dispatch.ts";

/** One dispatch, ready to run. */
export interface Run {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: Grid;
}

const ROUNDS = 3;
/** What is timed at once takes so long: browsers round timestamps to a tenth of a millisecond, and a submission costs as much. */
const LEAST_SECONDS = 2e-3;
const MOST_REPEATS = 100;
/** What takes so many times as long as the fastest at first is not timed again. */
const HOPELESS = 4;

/** Seconds that each of some dispatches takes: the least of some rounds in which they take turns. */
export async function timeRuns(device: Device, runs: readonly Run[]): Promise<number[]> {
  const time = device.gpu.features.has("timestamp-query") ? timeByTimestamps : timeByWaiting;
  const once = runs.map((run) => ({ run, repeats: 1 }));
  // What a driver puts off until a pipeline's first use is no part of it.
  await time(device, once);
  const seconds = await time(device, once);
  const limit = Math.max(LEAST_SECONDS, HOPELESS * Math.min(...seconds));
  const hopeful = runs.map((_, i) => i).filter((i) => seconds[i] <= limit);
  const passes = hopeful.map((i) => ({
    run: runs[i],
    repeats: Math.ceil(Math.min(MOST_REPEATS, LEAST_SECONDS / seconds[i])),
  }));
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await time(device, passes));
  hopeful.forEach((i, n) => (seconds[i] = Math.min(...rounds.map((round) => round[n]))));
  return seconds;
}

/** A dispatch, some times in a row. */
interface Pass {
  readonly run: Run;
  readonly repeats: number;
}

/** Seconds of one dispatch of each pass. */
async function timeByTimestamps(device: Device, passes: readonly Pass[]): Promise<number[]> {
  const profiler = new Profiler(device, passes.length);
  const encoder = device.gpu.createCommandEncoder();
  passes.forEach((pass, i) => encode(encoder, pass, profiler.timestamps(i)));
  profiler.resolve(encoder);
  device.gpu.queue.submit([encoder.finish()]);
  return (await profiler.finish()).map((seconds, i) => seconds / passes[i].repeats);
}

async function timeByWaiting(device: Device, passes: readonly Pass[]): Promise<number[]> {
  const { queue } = device.gpu;
  const seconds: number[] = [];
  for (const pass of passes) {
    const encoder = device.gpu.createCommandEncoder();
    encode(encoder, pass);
    const commands = encoder.finish();
    await device.wait(queue.onSubmittedWorkDone());
    const start = performance.now();
    queue.submit([commands]);
    await device.wait(queue.onSubmittedWorkDone());
    seconds.push((performance.now() - start) / 1000 / pass.repeats);
  }
  return seconds;
}

function encode(
  encoder: GPUCommandEncoder,
  { run: { pipeline, group, grid }, repeats }: Pass,
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...grid);
  pass.end();
}
