/** A line of a plot, or dots. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  /** Steps and losses. */
  readonly points: readonly (readonly [step: number, loss: number])[];
  readonly isDots?: boolean;
}

const WIDTH = 720;
const HEIGHT = 440;
const FRAME = { left: 64, right: 20, top: 20, bottom: 52 };
const FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="13" fill="#333"';
/** Losses that get a line across the plot, where they lie within it. */
const TICKS = [0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1];

/** Losses over steps, on a logarithmic scale, as an SVG. */
export function lossPlot(series: readonly Series[], steps: number): string {
  const losses = series.flatMap(({ points }) => points.map(([, loss]) => loss)).filter((loss) => loss > 0);
  if (losses.length === 0) throw new Error("lossPlot: needs at least one loss above 0, got none");
  const [low, high] = [Math.min(...losses) / 1.15, Math.max(...losses) * 1.15];
  const x = (step: number): number => FRAME.left + (step / steps) * (WIDTH - FRAME.left - FRAME.right);
  const y = (loss: number): number => {
    const up = Math.log(loss / low) / Math.log(high / low);
    return HEIGHT - FRAME.bottom - up * (HEIGHT - FRAME.top - FRAME.bottom);
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${TICKS.filter((loss) => loss >= low && loss <= high)
  .map((loss) => horizontal(y(loss), String(loss)))
  .join("\n")}
${stepTicks(steps)
  .map((step) => vertical(x(step), String(step)))
  .join("\n")}
<text x="${(FRAME.left + WIDTH - FRAME.right) / 2}" y="${HEIGHT - 10}" text-anchor="middle" ${FONT}>step</text>
<text x="16" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 ${HEIGHT / 2})" ${FONT}>Huber loss</text>
${series.map((one) => drawn(one, x, y)).join("\n")}
${legend(series)}
</svg>
`;
}

/** About six round numbers from 0 on. */
function stepTicks(steps: number): number[] {
  const rough = steps / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough) ?? rough);
  return Array.from({ length: Math.floor(steps / distance) + 1 }, (_, i) => i * distance);
}

function horizontal(y: number, label: string): string {
  return `<line x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${fixed(y)}" y2="${fixed(y)}" stroke="#ddd"/>
<text x="${FRAME.left - 8}" y="${fixed(y + 4)}" text-anchor="end" ${FONT}>${label}</text>`;
}

function vertical(x: number, label: string): string {
  const bottom = HEIGHT - FRAME.bottom;
  return `<line x1="${fixed(x)}" x2="${fixed(x)}" y1="${bottom}" y2="${bottom + 5}" stroke="#888"/>
<text x="${fixed(x)}" y="${bottom + 20}" text-anchor="middle" ${FONT}>${label}</text>`;
}

function drawn({ points, colour, isDots }: Series, x: (step: number) => number, y: (loss: number) => number): string {
  const placed = points.map(([step, loss]) => [fixed(x(step)), fixed(y(loss))] as const);
  if (isDots === true)
    return placed.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`).join("");
  const line = placed.map((point) => point.join(",")).join(" ");
  return `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`;
}

function legend(series: readonly Series[]): string {
  const [left, top] = [WIDTH - FRAME.right - 236, FRAME.top];
  const rows = series.map(({ name, colour, isDots }, row) => {
    const y = top + 16 + 22 * row;
    const sign =
      isDots === true
        ? `<circle cx="${left + 18}" cy="${y - 4}" r="4" fill="${colour}"/>`
        : `<line x1="${left + 6}" x2="${left + 30}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="2"/>`;
    return `${sign}<text x="${left + 38}" y="${y}" ${FONT}>${name}</text>`;
  });
  return `<rect x="${left}" y="${top - 4}" width="240" height="${22 * series.length + 8}" fill="#fff"/>
${rows.join("\n")}`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
