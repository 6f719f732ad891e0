import type { Backend } from "../../../backend/backend.ts";
import { describeDevice, withDevice } from "../../flags/device.ts";
import { catchInterrupt } from "../../interrupt.ts";
import { print } from "../../output/print.ts";
import { fromFirst } from "../../ranks/from-first.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import type { EvaluateFlags } from "./flags.ts";
import { SampleSource } from "./sample-source.ts";
import type { DrawOptions, SampleWay } from "./sample-source.ts";

/** Samples that the first of several processes asks for. */
interface Wanted {
  readonly way: SampleWay;
  readonly options: Pick<DrawOptions, "number" | "seed" | "classes">;
}

/** Asks the other processes to draw their share, or, by null, to end. */
export async function callAssistants(ranks: Ranks, wanted: Wanted | null): Promise<void> {
  if (ranks.size === 1) return;
  await ranks.meet();
  await fromFirst<Wanted | null>(ranks, () => wanted);
}

/** Draws the shares of samples that the first process asks for, until there are no more. @returns the exit code */
export async function assist(flags: EvaluateFlags, ranks: Ranks): Promise<number> {
  const source = await SampleSource.open(flags, print);
  const interrupt = catchInterrupt(() => {});
  await withDevice(flags, async (backend) => {
    print(`device  ${describeDevice(backend)}`);
    for (;;) {
      const wanted = await nextOf(ranks);
      if (wanted === null) return;
      await drawShare(source, wanted, backend, interrupt.signal, ranks);
    }
  });
  interrupt.release();
  return 0;
}

async function nextOf(ranks: Ranks): Promise<Wanted | null> {
  // The first process may be busy with the numbers of the samples before.
  await ranks.meet();
  return fromFirst<Wanted | null>(ranks, () => null);
}

async function drawShare(
  source: SampleSource,
  { way, options }: Wanted,
  backend: Backend,
  signal: AbortSignal,
  ranks: Ranks,
): Promise<void> {
  await source.draw(way, { ...options, backend, signal, onStep: () => {} }, ranks);
}
