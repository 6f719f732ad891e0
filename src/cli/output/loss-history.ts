import type { MetricsLine } from "../../checkpoint/metrics.ts";

/** Steps that follow each other, as one point of a picture. */
export interface LossStretch {
  readonly lastStep: number;
  readonly steps: number;
  readonly sum: number;
  readonly low: number;
  readonly high: number;
}

/** More could not be told apart in a picture. */
const MOST_STRETCHES = 2048;

/**
 * The losses of a run, whatever its length, as at most 2,048 stretches: every step while they are fewer, then as many
 * steps to a stretch as it takes.
 */
export async function lossHistory(
  lines: AsyncIterable<Pick<MetricsLine, "step" | "loss">> | Iterable<Pick<MetricsLine, "step" | "loss">>,
): Promise<LossStretch[]> {
  let stretches: LossStretch[] = [];
  let width = 1;
  for await (const { step, loss } of lines) {
    const last = stretches.at(-1);
    const one = { lastStep: step, steps: 1, sum: loss, low: loss, high: loss };
    if (last !== undefined && last.steps < width) stretches[stretches.length - 1] = merged(last, one);
    else stretches.push(one);
    if (stretches.length <= MOST_STRETCHES) continue;
    width *= 2;
    stretches = pairs(stretches);
  }
  return stretches;
}

function pairs(stretches: readonly LossStretch[]): LossStretch[] {
  return Array.from({ length: Math.ceil(stretches.length / 2) }, (_, i) => {
    const [first, second] = stretches.slice(2 * i, 2 * i + 2);
    return second === undefined ? first : merged(first, second);
  });
}

function merged(a: LossStretch, b: LossStretch): LossStretch {
  return {
    lastStep: b.lastStep,
    steps: a.steps + b.steps,
    sum: a.sum + b.sum,
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
  };
}
