import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useWidth } from "../../../kit/pictures/chart.tsx";
import { fitCanvas } from "../../../kit/pictures/picture.ts";
import { EXTENT } from "./model.ts";

export interface PlaneProps {
  /** Points to learn, x and y in turn. */
  readonly points: ArrayLike<number>;
  /** Points that the network draws. */
  readonly drawn: ArrayLike<number> | undefined;
  readonly arrows: { readonly from: ArrayLike<number>; readonly to: ArrayLike<number> } | undefined;
  readonly onDraw: (x: number, y: number) => void;
  readonly label: string;
}

/** Longest arrow, as a share of the way between two of them. */
const LONGEST = 0.22;
/** How far an arrow key moves the pen. */
const KEY_STEP = 0.08;
const dark = matchMedia("(prefers-color-scheme: dark)");
/** Readers draw within this square. */
const LIMIT = 1;

/** The plane from -2 to 2 with what is known of the points. Pointer draws; arrows move a pen, Space draws a point. */
export function Plane({ points, drawn, arrows, onDraw, label }: PlaneProps) {
  const [box, width] = useWidth();
  const canvas = useRef<HTMLCanvasElement>(null);
  const pen = useSignal<readonly [number, number]>([0, 0]);
  const hasFocus = useSignal(false);
  const side = Math.min(width, 520);
  // Drawn again in the colours of another theme.
  const isDark = useSignal(dark.matches);
  useEffect(() => {
    const change = (): void => void (isDark.value = dark.matches);
    dark.addEventListener("change", change);
    return () => dark.removeEventListener("change", change);
  }, []);
  void isDark.value;
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || side === 0) return;
    const pixels = Math.round(side * devicePixelRatio);
    fitCanvas(element, pixels, pixels);
    const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name);
    const at = (value: number): number => ((value / EXTENT + 1) / 2) * pixels;
    const y = (value: number): number => pixels - at(value);
    const dot = pixels / 200;
    context.clearRect(0, 0, pixels, pixels);
    context.strokeStyle = colour("--ink-edge");
    context.lineWidth = devicePixelRatio;
    context.strokeRect(at(-LIMIT), y(LIMIT), at(LIMIT) - at(-LIMIT), y(-LIMIT) - y(LIMIT));
    if (arrows) drawArrows(context, arrows, { at, y, colour: colour("--ink-arrows") });
    drawDots(context, points, { at, y, colour: colour("--ink-points"), size: dot });
    if (drawn) drawDots(context, drawn, { at, y, colour: colour("--ink-drawn"), size: dot });
    if (!hasFocus.value) return;
    context.strokeStyle = colour("--ink-pen");
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeRect(at(pen.value[0]) - 3 * dot, y(pen.value[1]) - 3 * dot, 6 * dot, 6 * dot);
  });
  const draw = (event: PointerEvent & { readonly currentTarget: HTMLCanvasElement }): void => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const place = (share: number): number => Math.min(Math.max((2 * share - 1) * EXTENT, -LIMIT), LIMIT);
    onDraw(place((event.clientX - left) / width), place(1 - (event.clientY - top) / height));
  };
  const press = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-KEY_STEP, 0],
      ArrowRight: [KEY_STEP, 0],
      ArrowUp: [0, KEY_STEP],
      ArrowDown: [0, -KEY_STEP],
    };
    const move = moves[event.key];
    const [x, y] = pen.value;
    if (move === undefined && event.key !== " ") return;
    event.preventDefault();
    if (move === undefined || event.shiftKey) onDraw(x, y);
    if (move === undefined) return;
    const within = (value: number): number => Math.min(Math.max(value, -LIMIT), LIMIT);
    pen.value = [within(x + move[0]), within(y + move[1])];
  };
  return (
    <div class="plane" ref={box}>
      <canvas
        ref={canvas}
        style={{ width: `${side}px`, height: `${side}px` }}
        tabIndex={0}
        role="application"
        aria-roledescription="drawing pad"
        aria-label={`${label}. Arrows move the pen, Space draws a point.`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          draw(event);
        }}
        onPointerMove={(event) => event.buttons === 1 && draw(event)}
        onKeyDown={press}
        onFocus={({ currentTarget }) => (hasFocus.value = currentTarget.matches(":focus-visible"))}
        onBlur={() => (hasFocus.value = false)}
      />
    </div>
  );
}

interface Ink {
  readonly at: (x: number) => number;
  readonly y: (y: number) => number;
  readonly colour: string;
}

function drawDots(
  context: CanvasRenderingContext2D,
  points: ArrayLike<number>,
  ink: Ink & { readonly size: number },
): void {
  context.fillStyle = ink.colour;
  context.beginPath();
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [ink.at(points[i]), ink.y(points[i + 1])];
    context.moveTo(x, y);
    context.arc(x, y, ink.size / 1.5, 0, 2 * Math.PI);
  }
  context.fill();
}

/** Each from its place in the direction in which the network would go, longer where it goes further. */
function drawArrows(
  context: CanvasRenderingContext2D,
  { from, to }: { readonly from: ArrayLike<number>; readonly to: ArrayLike<number> },
  { at, y, colour }: Ink,
): void {
  context.strokeStyle = colour;
  context.beginPath();
  for (let i = 0; i < from.length; i += 2) {
    const [dx, dy] = [to[i] - from[i], to[i + 1] - from[i + 1]];
    const length = Math.hypot(dx, dy);
    if (length < 1e-3) continue;
    const scale = (LONGEST * Math.tanh(length)) / length;
    const [x1, y1] = [at(from[i]), y(from[i + 1])];
    const [x2, y2] = [at(from[i] + scale * dx), y(from[i + 1] + scale * dy)];
    const [hx, hy] = [(x2 - x1) * 0.35, (y2 - y1) * 0.35];
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.lineTo(x2 - hx - hy * 0.6, y2 - hy + hx * 0.6);
    context.moveTo(x2, y2);
    context.lineTo(x2 - hx + hy * 0.6, y2 - hy - hx * 0.6);
  }
  context.stroke();
}
