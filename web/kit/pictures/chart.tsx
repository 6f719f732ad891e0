import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ticksOf } from "./ticks.ts";
import type { Range } from "./ticks.ts";

export interface ChartSeries {
  readonly name: string;
  readonly y: ArrayLike<number>;
  /** As many as y; 0, 1, 2, ... without. */
  readonly x?: ArrayLike<number> | undefined;
  /** Which of the six colours; its place in the list without. */
  readonly colour?: number | undefined;
  /** Thin and pale, as single steps behind their mean; not in the legend. */
  readonly isFaint?: boolean | undefined;
}

export interface ChartProps {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  readonly series: readonly ChartSeries[];
  readonly xLabel: string;
  readonly yLabel: string;
  /** The data's own without. */
  readonly xRange?: Range | undefined;
  readonly yRange?: Range | undefined;
  /** The y axis as logarithms, for values above 0. */
  readonly isLogarithmic?: boolean | undefined;
  /** A vertical line at this x. */
  readonly cursor?: number | undefined;
  /** Where the reader points, by the x axis. Beside it belongs a Slider of the same value, for the keyboard. */
  readonly onPoint?: ((x: number) => void) | undefined;
  /** Pixels; default 260. */
  readonly height?: number | undefined;
}

const MARGIN = { left: 48, right: 12, top: 10, bottom: 40 };
/** More points than this in a line are not seen. */
const MOST_POINTS = 600;

/** What the axes stand for while there is nothing to draw; they bear no numbers then. */
const NO_VALUES: Range = [0, 1];

/** Lines over a common axis, as wide as their place. */
export function Chart(props: ChartProps) {
  const { label, series, xLabel, yLabel, cursor, onPoint, height = 260 } = props;
  const [ref, width] = useWidth();
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const ownX = props.xRange ?? rangeOf(series.map(({ x, y }) => x ?? (y.length > 0 ? [0, y.length - 1] : [])));
  const ownY = props.yRange ?? rangeOf(series.map(({ y }) => y));
  const [xRange, yRange] = [ownX ?? NO_VALUES, ownY ?? NO_VALUES];
  const isLogarithmic = props.isLogarithmic === true && ownY !== undefined;
  const scale = isLogarithmic ? Math.log : (value: number) => value;
  const xAt = (value: number): number => left + ((value - xRange[0]) / (xRange[1] - xRange[0])) * (right - left);
  const yAt = (value: number): number =>
    bottom - ((scale(value) - scale(yRange[0])) / (scale(yRange[1]) - scale(yRange[0]))) * (bottom - top);
  const pathOf = ({ x, y }: ChartSeries): string => {
    const stride = Math.max(1, Math.floor(y.length / MOST_POINTS));
    const places = Array.from({ length: Math.ceil(y.length / stride) }, (_, i) => i * stride);
    if (places.at(-1) !== y.length - 1 && y.length > 0) places.push(y.length - 1);
    return places
      .map((i, n) => `${n === 0 ? "M" : "L"}${xAt(x?.[i] ?? i).toFixed(1)} ${yAt(y[i]).toFixed(1)}`)
      .join("");
  };
  const point = (event: PointerEvent & { readonly currentTarget: SVGElement }): void => {
    if (event.type === "pointermove" && event.pointerType !== "mouse" && event.buttons === 0) return;
    const place = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const value = xRange[0] + ((place - left) / (right - left)) * (xRange[1] - xRange[0]);
    onPoint?.(Math.min(Math.max(value, xRange[0]), xRange[1]));
  };
  return (
    <div class="chart" ref={ref}>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={label}
          class={onPoint === undefined ? undefined : "points"}
          onPointerMove={onPoint && point}
          onPointerDown={onPoint && point}
        >
          {ticksOf(yRange, isLogarithmic, 6).map((tick) => (
            <g key={tick} class="tick">
              <path d={`M${left} ${yAt(tick).toFixed(1)}H${right}`} />
              {ownY !== undefined && (
                <text x={left - 8} y={yAt(tick) + 4} text-anchor="end">
                  {tick}
                </text>
              )}
            </g>
          ))}
          {ownX !== undefined &&
            ticksOf(xRange, false, Math.max(2, Math.floor(width / 80))).map((tick) => (
              <text key={tick} x={xAt(tick)} y={bottom + 18} text-anchor="middle">
                {tick}
              </text>
            ))}
          <text x={right} y={height - 4} text-anchor="end">
            {xLabel}
          </text>
          {series.map((line, i) => (
            <path
              key={line.name}
              class={`line colour-${line.colour ?? i}${line.isFaint ? " faint" : ""}`}
              d={pathOf(line)}
            />
          ))}
          {cursor !== undefined && <path class="cursor" d={`M${xAt(cursor).toFixed(1)} ${top}V${bottom}`} />}
        </svg>
      )}
      <p class="legend">
        <span class="y-label">{yLabel}</span>
        {series.map(({ name, colour, isFaint }, i) =>
          isFaint || name === "" ? null : (
            <span key={name} class={`key colour-${colour ?? i}`}>
              {name}
            </span>
          ),
        )}
      </p>
    </div>
  );
}

/** The width that an element has, in pixels; 0 at first. */
export function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    if (ref.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => (width.value = Math.floor(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, width.value] as const;
}

/** Of all values; undefined if there are none. */
function rangeOf(lists: readonly ArrayLike<number>[]): Range | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      low = Math.min(low, list[i]);
      high = Math.max(high, list[i]);
    }
  }
  if (low > high) return undefined;
  return low === high ? [low, low + 1] : [low, high];
}
