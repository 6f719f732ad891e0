import { formatShape } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** Values beyond which only the ends of each axis are shown, and how many of them. */
const [ALL_OF, AT_EACH_END] = [1000, 3];

/** What Node's console calls to print an object. */
export const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** An array for people, as NumPy prints it: its type and shape, and the values as nested lists. */
export function formatArray(dtype: string, shape: Shape, data: ArrayLike<number>): string {
  const shorten = data.length > ALL_OF;
  const show = (value: number): string => (dtype === "f32" ? String(Number(value.toPrecision(5))) : String(value));
  const list = (axis: number, start: number, size: number): string => {
    if (axis === shape.length) return show(data[start]);
    const [length, step] = [shape[axis], size / shape[axis]];
    const isShortened = shorten && length > 2 * AT_EACH_END;
    const places = Array.from({ length }, (_, i) => i).filter(
      (i) => !isShortened || i < AT_EACH_END || i >= length - AT_EACH_END,
    );
    const parts = places.map((i) => list(axis + 1, start + i * step, step));
    if (isShortened) parts.splice(AT_EACH_END, 0, "...");
    const isLast = axis === shape.length - 1;
    return `[${parts.join(isLast ? ", " : `,\n${" ".repeat(axis + 1)}`)}]`;
  };
  const values = data.length === 0 ? "[]" : list(0, 0, data.length);
  return `${dtype} ${formatShape(shape)}${shape.length > 1 ? "\n" : " "}${values}`;
}
