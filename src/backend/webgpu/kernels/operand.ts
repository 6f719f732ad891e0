import type { Buffer } from "../../../compiler/program.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";

/** Where four neighbours of an operand are, as i32. */
export interface FourPlace {
  readonly batch: Code;
  /** The row, or the column, of the first. It may be beyond the last one; what is read in its place is not used. */
  readonly outer: Code;
  /** Where along a tile's inner dimension the first is. */
  readonly inner: Code;
}

/** The loop over tiles along the inner dimension. */
export interface TileLoop {
  /** Where the first tile starts, as i32. */
  readonly from: Code;
  /** Where the last one ends, which may reach beyond it. */
  readonly end: Code;
  /** From one tile to the next. */
  readonly step: number;
  /** Has lines written at the end of its body. */
  readonly atEnd: (write: () => void) => void;
}

/** Four neighbours of one tile. Their code is written where they are read. */
export interface Four {
  /** Where it is false they are zeros, and must not be read. */
  readonly isInside?: Code | undefined;
  /** As vec4<f32>. */
  readonly value: () => Code;
  /** As halves in a vec2<u32>, if they lie so in memory. */
  readonly halves?: (() => Code | undefined) | undefined;
}

/**
 * An operand of a product, read four neighbours at a time. Called before the loop over tiles, it writes what is the
 * same for all of them; the function that it returns writes the rest, in the loop, where `start` is where a tile starts.
 */
export type Operand = (place: FourPlace, loop: TileLoop) => (start: Code) => Four;

export interface LinearOperand {
  readonly buffer: Buffer;
  /** Whether four neighbours lie next to each other and aligned. */
  readonly inFours: boolean;
  /** Along which dimension four are neighbours. */
  readonly along: "outer" | "inner";
  /** How many rows, or columns, there are. */
  readonly outer: number;
  /** How far apart in memory neighbours along the inner dimension are. */
  readonly step: number;
  /** The index of an element at the beginning of the inner dimension. */
  readonly index: (batch: Code, outer: Code) => Code;
}

/** An operand whose elements lie at equal distances along the inner dimension. */
export function linearOperand(shader: ShaderWriter, operand: LinearOperand): Operand {
  const { buffer, inFours, along, outer, index } = operand;
  const step = shader.size(operand.step);
  const last = shader.anySize(inFours && along === "outer" ? outer - 4 : outer - 1);
  if (inFours)
    return (place) => {
      const first = shader.bind("first", atMost(place, last));
      const at = shader.bind("at", sum(index(place.batch, first), times(place.inner, step)));
      return (start) => {
        const here = sum(at, times(start, step));
        return { value: () => shader.loadVector(buffer, here), halves: () => shader.loadHalves(buffer, here) };
      };
    };
  if (along === "outer")
    return (place) => {
      const firsts = LANES.map((lane) => shader.bind("first", atMost(place, last, lane)));
      const ats = firsts.map((first) => shader.bind("at", sum(index(place.batch, first), times(place.inner, step))));
      return (start) => ({
        value: () => `vec4(${ats.map((at) => shader.load(buffer, sum(at, times(start, step)))).join(", ")})`,
      });
    };
  return (place, { end }) => {
    const first = shader.bind("first", atMost(place, last));
    const at = shader.bind("at", index(place.batch, first));
    return (start) => ({
      value: () => {
        const inner = shader.bind("inner", sum(start, place.inner));
        const elements = LANES.map((lane) => {
          const element = (k: Code): Code => shader.load(buffer, sum(at, times(k, step)));
          if (lane === 0) return element(inner);
          const k = `min(${inner} + ${lane}, ${end} - 1)`;
          return `select(0f, ${element(`(${k})`)}, ${inner} + ${lane} < ${end})`;
        });
        return `vec4(${elements.join(", ")})`;
      },
    });
  };
}

const LANES = [0, 1, 2, 3];

/** The row or column of one of the four, or the last there is. */
export function atMost({ outer }: FourPlace, last: Code, lane = 0): Code {
  return `min(${sum(outer, String(lane))}, ${last})`;
}

export function sum(a: Code, b: Code): Code {
  return a === "0" ? b : b === "0" ? a : `${a} + ${b}`;
}

export function times(code: Code, factor: Code | number): Code {
  if (code === "0" || String(factor) === "0") return "0";
  if (String(factor) === "1") return code;
  return /^\w+$/.test(code) ? `${code} * ${factor}` : `(${code}) * ${factor}`;
}

/** Returns four elements along an axis, from the index `name` on, with 0 from `end` on. */
export function returnFour(shader: ShaderWriter, end: Code | number, name: Code, element: (i: Code) => Code): void {
  shader.line("var four = vec4<f32>();");
  shader.block(`for (var i = 0; i < min(4, ${end} - ${name}); i++)`, () => shader.line(`four[i] = ${element("i")};`));
  shader.line("return four;");
}
