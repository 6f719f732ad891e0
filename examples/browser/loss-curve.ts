const [LEFT, RIGHT, TOP, BOTTOM] = [44, 470, 12, 172];
/** Share of the past in the bold line, an average that forgets. */
const SMOOTHING = 0.9;
const MOST_POINTS = 400;

/** Draws the losses of all steps so far, faint, and their moving average, into an SVG of 480 by 200. */
export function drawLosses(svg: SVGElement, losses: readonly number[], steps: number): void {
  const top = niceAbove(losses.reduce((a, b) => Math.max(a, b), 0));
  const x = (step: number): string => (LEFT + (step / steps) * (RIGHT - LEFT)).toFixed(1);
  const y = (loss: number): string => (BOTTOM - (loss / top) * (BOTTOM - TOP)).toFixed(1);
  const stride = Math.ceil(losses.length / MOST_POINTS);
  const points = (values: readonly number[]): string =>
    values.map((value, i) => (i % stride === 0 ? `${x(i + 1)},${y(value)}` : "")).join(" ");

  const lines = [0, top / 2, top].map((loss) => {
    const label = `<text x="${LEFT - 8}" y="${y(loss)}" dy="4" text-anchor="end">${Number(loss.toPrecision(2))}</text>`;
    return `${label}<line x1="${LEFT}" x2="${RIGHT}" y1="${y(loss)}" y2="${y(loss)}" />`;
  });
  svg.innerHTML = `${lines.join("")}
<text x="${LEFT}" y="192">loss</text>
<text x="${RIGHT}" y="192" text-anchor="end">step ${steps}</text>
<polyline class="each" points="${points(losses)}" />
<polyline class="average" points="${points(smoothed(losses))}" />`;
}

/** With the bias towards 0 of the first values taken out, as in Adam. */
function smoothed(values: readonly number[]): number[] {
  let average = 0;
  return values.map((value, i) => {
    average = SMOOTHING * average + (1 - SMOOTHING) * value;
    return average / (1 - SMOOTHING ** (i + 1));
  });
}

/** The next number that is 1, 2 or 5 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return power * ([1, 2, 5].find((factor) => factor * power >= value) ?? 10);
}
