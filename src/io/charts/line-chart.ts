import { checkOptions } from "../../config/rules.ts";
import { linearTicks, logarithmicTicks } from "./ticks.ts";

/** A line of a chart, or dots. */
export interface ChartLine {
  /** In the legend; without one, there is no row for it. */
  readonly name?: string | undefined;
  readonly y: ArrayLike<number>;
  /** As many as y; 0, 1, 2, ... without. */
  readonly x?: ArrayLike<number> | undefined;
  /** A colour of CSS; the chart's own, in turn, without. */
  readonly colour?: string | undefined;
  /** Points that no line joins; default false. */
  readonly isDots?: boolean | undefined;
  /** In pixels; default 2. */
  readonly width?: number | undefined;
}

export interface ChartOptions {
  readonly lines: readonly ChartLine[];
  readonly title?: string | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
  /** The y axis as logarithms, for values above 0; default false. */
  readonly isLogarithmic?: boolean | undefined;
  /** Marks of the x axis at whole numbers alone, as for steps; default false. */
  readonly hasWholeX?: boolean | undefined;
  /** Where the x axis begins; default the least x. */
  readonly start?: number | undefined;
  /** Pixels; default 720 x 360. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** Okabe and Ito's colours, which the colour-blind tell apart, darkest first. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/** Above this ratio of largest to smallest value, marks on a logarithmic axis are 1, 2 and 5. */
const WIDE_RANGE = 5;
const LEGEND_ROW = 20;

type Range = readonly [low: number, high: number];
type Scale = (value: number) => number;

/** A line with all that its caller left open. */
interface Line {
  readonly name: string;
  readonly isNamed: boolean;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly colour: string;
  readonly isDots: boolean;
  readonly stroke: number;
}

/** Where the plot lies within the picture. */
interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * Lines or dots over a common axis, as an SVG picture.
 *
 * @example
 * const svg = lineChart({ lines: [{ name: "loss", y: losses }], xLabel: "step", isLogarithmic: true });
 * @throws Error of one line if a line has no points or not as many x as y, or a value has no place
 */
export function lineChart(options: ChartOptions): string {
  checkOptions("lineChart", options, {
    lines: "list",
    title: "string",
    xLabel: "string",
    yLabel: "string",
    isLogarithmic: "boolean",
    hasWholeX: "boolean",
    start: "number",
    width: "number",
    height: "number",
  });
  const { lines, title, xLabel, yLabel, isLogarithmic = false, hasWholeX = false } = options;
  const { start, width = 720, height = 360 } = options;
  const placed = lines.map(({ name, y, x = indicesOf(y), colour, isDots = false, width: stroke = 2 }, i) => {
    return {
      name: name ?? `line ${i}`,
      isNamed: name !== undefined,
      y,
      x,
      colour: colour ?? COLOURS[i % COLOURS.length],
      isDots,
      stroke,
    };
  });
  checkLines(placed, isLogarithmic);
  const frame = {
    left: yLabel === undefined ? 56 : 76,
    right: width - 20,
    top: title === undefined ? 16 : 36,
    bottom: height - (xLabel === undefined ? 32 : 52),
  };
  const xRange = rangeOf([...placed.map((line) => line.x), start === undefined ? [] : [start]]);
  const yRange = widened(rangeOf(placed.map((line) => line.y)), isLogarithmic);
  const x = linear(xRange, [frame.left, frame.right]);
  const y = isLogarithmic ? logarithmic(yRange, [frame.bottom, frame.top]) : linear(yRange, [frame.bottom, frame.top]);
  const isWide = isLogarithmic && yRange[1] / yRange[0] > WIDE_RANGE;
  const yTicks = (isWide ? logarithmicTicks : linearTicks)(...yRange);
  const xTicks = linearTicks(...xRange).filter((tick) => !hasWholeX || Number.isInteger(tick));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="none">
<rect width="${width}" height="${height}" fill="#fff"/>
<path stroke="#e5e5e5" d="${yTicks.map((tick) => `M${frame.left} ${fixed(y(tick))}H${frame.right}`).join("")}"/>
${placed.map((line) => drawn(line, x, y)).join("\n")}
<g fill="#444">
${title === undefined ? "" : text(frame.left, 22, title, 'font-size="14"')}
${yTicks.map((tick) => text(frame.left - 8, y(tick) + 4, String(tick), 'text-anchor="end"')).join("\n")}
${xTicks.map((tick) => text(x(tick), frame.bottom + 20, String(tick), anchor(x(tick), tick, width))).join("\n")}
${xLabel === undefined ? "" : text((frame.left + frame.right) / 2, height - 10, xLabel, 'text-anchor="middle"')}
${yLabel === undefined ? "" : upright(20, (frame.top + frame.bottom) / 2, yLabel)}
</g>
${legend(placed, frame, x, y)}
</svg>
`;
}

function indicesOf(y: ArrayLike<number>): number[] {
  return Array.from({ length: y.length }, (_, i) => i);
}

function checkLines(lines: readonly Line[], isLogarithmic: boolean): void {
  if (lines.length === 0) throw new Error("lineChart: needs at least one line, got none");
  for (const { name, x, y } of lines) {
    if (y.length === 0) throw new Error(`lineChart: ${name} needs at least one point, got none`);
    if (x.length !== y.length) throw new Error(`lineChart: ${name} has ${y.length} y, and ${x.length} x`);
    const wrong = Array.from(y).find((value) => !Number.isFinite(value) || (isLogarithmic && value <= 0));
    const required = isLogarithmic ? "above 0, as the axis is logarithmic" : "finite";
    if (wrong !== undefined) throw new Error(`lineChart: ${name} must be ${required}, got ${wrong}`);
    const place = Array.from(x).find((value) => !Number.isFinite(value));
    if (place !== undefined) throw new Error(`lineChart: x of ${name} must be finite, got ${place}`);
  }
}

/** Not Math.min(...values), which takes only so many arguments. */
function rangeOf(lists: readonly ArrayLike<number>[]): Range {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      low = Math.min(low, list[i]);
      high = Math.max(high, list[i]);
    }
  }
  return low === high ? [low, low + 1] : [low, high];
}

/** So that no line runs along the edge. */
function widened([low, high]: Range, isLogarithmic: boolean): Range {
  if (isLogarithmic) return [low * 0.95, high * 1.05];
  const margin = 0.03 * (high - low);
  return [low - margin, high + margin];
}

function linear([from, to]: Range, [first, last]: Range): Scale {
  return (value) => first + ((value - from) / (to - from)) * (last - first);
}

function logarithmic([from, to]: Range, place: Range): Scale {
  const scale = linear([Math.log(from), Math.log(to)], place);
  return (value) => scale(Math.log(value));
}

function drawn({ x, y, colour, isDots, stroke }: Line, toX: Scale, toY: Scale): string {
  const points = Array.from(y, (value, i) => [fixed(toX(x[i])), fixed(toY(value))] as const);
  if (isDots) return points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`).join("");
  return `<path stroke="${colour}" stroke-width="${stroke}" d="M${points.map((point) => point.join(" ")).join("L")}"/>`;
}

/** The names, at the top: on the right, on the left or between, where they hide the fewest points. */
function legend(lines: readonly Line[], { left: start, right: end, top }: Frame, toX: Scale, toY: Scale): string {
  const named = lines.filter(({ isNamed }) => isNamed);
  if (named.length === 0) return "";
  const longest = named.reduce((most, { name }) => Math.max(most, name.length), 0);
  const width = 48 + 6.5 * longest;
  const height = LEGEND_ROW * named.length + 8;
  const hidden = (left: number): number => {
    const isHidden = (x: number, y: number): boolean => x > left && x < left + width && y < top + 2 + height;
    return lines.reduce((sum, { x, y }) => sum + indicesOf(y).filter((i) => isHidden(toX(x[i]), toY(y[i]))).length, 0);
  };
  const places = [end - width, start, (start + end - width) / 2];
  const left = places.reduce((best, place) => (hidden(place) < hidden(best) ? place : best));
  const rows = named.map(({ name, colour, isDots }, row) => {
    const y = top + 18 + LEGEND_ROW * row;
    const sign = isDots
      ? `<circle cx="${left + 16}" cy="${y - 4}" r="4" fill="${colour}"/>`
      : `<path stroke="${colour}" stroke-width="2" d="M${left + 4} ${y - 4}h24"/>`;
    return `${sign}<g fill="#444">${text(left + 34, y, name)}</g>`;
  });
  return `<rect x="${left}" y="${top + 2}" width="${width}" height="${height}" fill="#fff" fill-opacity="0.85"/>
${rows.join("\n")}`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${escaped(content)}</text>`;
}

function upright(x: number, y: number, content: string): string {
  return text(x, y, content, `text-anchor="middle" transform="rotate(-90 ${x} ${fixed(y)})"`);
}

/** A mark at the right edge ends there. */
function anchor(x: number, tick: number, width: number): string {
  return `text-anchor="${x + 4 * String(tick).length > width ? "end" : "middle"}"`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
