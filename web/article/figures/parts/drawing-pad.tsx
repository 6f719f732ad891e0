import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface DrawingPadProps {
  readonly label: string;
  /** Pixels in one side. */
  readonly side: number;
  /** Diameter of the brush in pixels. */
  readonly brush: number;
  /** Draws what lies under the reader's strokes, and the strokes, whenever they change. */
  readonly paint: (
    context: CanvasRenderingContext2D,
    place: { readonly x: number; readonly y: number } | undefined,
  ) => void;
  /** The pixels under the brush from one place to the next, to be set, or to be erased. */
  readonly onStroke: (pixels: readonly number[], isErasing: boolean) => void;
  readonly onUndo?: (() => void) | undefined;
  /** Changes when what `paint` draws does. */
  readonly version: unknown;
}

/**
 * A square to draw on. Pointer: draws, with Shift or the right button it erases. Keyboard: arrows move the brush, Space
 * draws, Delete erases, with Shift held arrows draw along; Ctrl+Z takes back.
 */
export function DrawingPad({ label, side, brush, paint, onStroke, onUndo, version }: DrawingPadProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<readonly [number, number] | undefined>(undefined);
  const cursor = useSignal({ x: Math.floor(side / 2), y: Math.floor(side / 2) });
  const hasFocus = useSignal(false);
  const place = hasFocus.value ? cursor.value : undefined;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context) paint(context, place);
  }, [version, place]);
  const at = (event: PointerEvent & { readonly currentTarget: HTMLCanvasElement }): readonly [number, number] => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    return [((event.clientX - left) / width) * side, ((event.clientY - top) / height) * side];
  };
  const stroke = (event: PointerEvent & { readonly currentTarget: HTMLCanvasElement }): void => {
    const point = at(event);
    onStroke(pixelsOn(last.current ?? point, point, brush, side), event.shiftKey || (event.buttons & 2) !== 0);
    last.current = point;
  };
  const moves: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  const press = (event: KeyboardEvent): void => {
    const { x, y } = cursor.value;
    const dab = (isErasing: boolean): void =>
      onStroke(pixelsOn([x + 0.5, y + 0.5], [x + 0.5, y + 0.5], brush, side), isErasing);
    const move = moves[event.key];
    if (move !== undefined) {
      if (event.shiftKey) dab(false);
      const clamp = (value: number): number => Math.min(Math.max(value, 0), side - 1);
      cursor.value = { x: clamp(x + move[0]), y: clamp(y + move[1]) };
    } else if (event.key === " ") dab(false);
    else if (event.key === "Delete" || event.key === "Backspace") dab(true);
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) onUndo?.();
    else return;
    event.preventDefault();
  };
  return (
    <canvas
      ref={canvas}
      class="pad"
      width={side}
      height={side}
      tabIndex={0}
      role="application"
      aria-roledescription="drawing pad"
      aria-label={`${label}. Arrows move the brush, Space draws, Delete erases.`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        last.current = undefined;
        stroke(event);
      }}
      onPointerMove={(event) => event.buttons !== 0 && stroke(event)}
      onPointerUp={() => (last.current = undefined)}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={press}
      onFocus={({ currentTarget }) => (hasFocus.value = currentTarget.matches(":focus-visible"))}
      onBlur={() => (hasFocus.value = false)}
    />
  );
}

/** Numbers of the pixels whose centres a round brush covers on its way. */
export function pixelsOn(
  from: readonly [number, number],
  to: readonly [number, number],
  brush: number,
  side: number,
): readonly number[] {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const covered: number[] = [];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [px, py] = [x + 0.5 - from[0], y + 0.5 - from[1]];
      const share = length === 0 ? 0 : Math.min(Math.max((px * dx + py * dy) / length, 0), 1);
      if (Math.hypot(px - share * dx, py - share * dy) <= Math.max(brush / 2, 0.71)) covered.push(y * side + x);
    }
  }
  return covered;
}
