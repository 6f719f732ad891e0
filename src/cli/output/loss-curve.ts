import { lineChart } from "../../io/charts/line-chart.ts";
import type { LossStretch } from "./loss-history.ts";
import { printable } from "./printable.ts";

/** The blue line is a mean over this share of the run. */
const SMOOTHING = 1 / 40;

/**
 * The losses of a run as an SVG picture on a logarithmic scale: every step in gray, their mean in blue.
 *
 * @param history at least one stretch, of ascending steps
 */
export function lossCurve(history: readonly LossStretch[], title: string): string {
  const steps = history.map(({ lastStep }) => lastStep);
  const means = smoothed(history, Math.ceil(history.reduce((sum, stretch) => sum + stretch.steps, 0) * SMOOTHING));
  // A stretch of several steps is drawn from its least to its largest loss.
  const all = history.flatMap(({ lastStep, low, high }) =>
    (low === high ? [low] : [low, high]).map((loss) => [lastStep, positive(loss)] as const),
  );
  const start = history[0].lastStep - history[0].steps;
  return lineChart({
    title: printable(title),
    isLogarithmic: true,
    hasWholeX: true,
    start,
    lines: [
      { x: all.map(([step]) => step), y: all.map(([, loss]) => loss), colour: "#c4c4c4", width: 1 },
      { x: steps, y: means, colour: "#2563eb" },
    ],
  });
}

/** The mean of each stretch and those before it, `window` steps in all or as many as there are. */
function smoothed(history: readonly LossStretch[], window: number): number[] {
  let [first, sum, steps] = [0, 0, 0];
  return history.map((stretch) => {
    sum += stretch.sum;
    steps += stretch.steps;
    for (; steps - history[first].steps >= window; first++) {
      sum -= history[first].sum;
      steps -= history[first].steps;
    }
    return positive(sum / steps);
  });
}

/** A loss of 0 has no logarithm. */
function positive(loss: number): number {
  return Math.max(loss, 1e-9);
}
