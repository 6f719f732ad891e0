import type { Backend } from "../../../backend/backend.ts";
import type { Samples } from "../../../diffusion/sampling/sampling.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import { formatCount } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { Output } from "./output.ts";

export interface Drawing {
  readonly number: number;
  readonly seed: number;
  /** Steps that this process takes for all batches together. */
  readonly evaluations: number;
}

/** Draws batch after batch; `onStep` is told how many steps are done. */
export type Draw = (backend: Backend, signal: AbortSignal, onStep: (done: number) => void) => AsyncIterable<Samples>;

/**
 * Draws images on the device that flags name, with a bar that shows how far it is. The first process writes them all.
 *
 * @returns the exit code
 */
export async function drawInto(
  output: Output,
  { number, seed, evaluations }: Drawing,
  flags: DeviceFlags,
  ranks: Ranks,
  draw: Draw,
): Promise<number> {
  const interrupt = catchInterrupt(() => print(`Stopping after this ${ranks.size > 1 ? "batch" : "step"}.`));
  const bar = await progressBar(evaluations);
  let drawn = 0;
  try {
    await withDevice(flags, async (backend) => {
      for await (const batch of draw(backend, interrupt.signal, (done) => bar.show(done))) {
        await output.add(batch);
        drawn += batch.shape[0];
      }
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
  } finally {
    bar.stop();
    interrupt.release();
  }
  if (ranks.rank !== 0) return 0;
  const written = await output.finish();
  if (drawn < number) print(`Stopped with ${formatCount(drawn)} of ${formatCount(number)} images drawn.`);
  for (const path of written) print(`wrote ${path}`);
  print(`seed ${seed}`);
  return drawn < number ? EXIT_INTERRUPTED : 0;
}
