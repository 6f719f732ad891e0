import type { Buffer } from "../../../compiler/program.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";

/** Where four neighbours of an operand are, as i32. */
export interface FourPlace {
  readonly batch: Code;
  /** The row, or the column, of the first. */
  readonly outer: Code;
  /** Whether it is surely not beyond the last one; what is read in place of those beyond is not used. */
  readonly fits: boolean;
  /** Where along a tile's inner dimension the first is. */
  readonly inner: Code;
}

/** Along the inner dimension, the part that a workgroup adds up, as i32. */
export interface Run {
  /** Where the tile in question starts. */
  readonly start: Code;
  /** Where the run ends; the last tile may reach beyond it. */
  readonly end: Code;
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
 * same for all of them; the function that it returns writes the rest, in the loop.
 */
export type Operand = (place: FourPlace) => (run: Run) => Four;

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
  const { buffer, inFours, along, outer, step, index } = operand;
  if (inFours)
    return (place) => {
      const first = shader.bind("first", atMost(place, along === "outer" ? outer - 4 : outer - 1));
      const at = shader.bind("at", sum(index(place.batch, first), times(place.inner, step)));
      return ({ start }) => {
        const here = sum(at, times(start, step));
        return { value: () => shader.loadVector(buffer, here), halves: () => shader.loadHalves(buffer, here) };
      };
    };
  if (along === "outer")
    return (place) => {
      const firsts = LANES.map((lane) => shader.bind("first", atMost(place, outer - 1, lane)));
      const ats = firsts.map((first) => shader.bind("at", sum(index(place.batch, first), times(place.inner, step))));
      return ({ start }) => ({
        value: () => `vec4(${ats.map((at) => shader.load(buffer, sum(at, times(start, step)))).join(", ")})`,
      });
    };
  return (place) => {
    const first = shader.bind("first", atMost(place, outer - 1));
    const at = shader.bind("at", index(place.batch, first));
    return ({ start, end }) => ({
      value: () => {
        const inner = shader.bind("inner", sum(start, place.inner));
        const elements = LANES.map((lane) => {
          const element = (k: Code): Code => shader.load(buffer, sum(at, times(k, step)));
          if (lane === 0) return element(inner);
          const k = `min(${inner} + ${lane}, ${end} - 1)`;
          return `select(0f, ${element(step === 1 ? k : `(${k})`)}, ${inner} + ${lane} < ${end})`;
        });
        return `vec4(${elements.join(", ")})`;
      },
    });
  };
}

const LANES = [0, 1, 2, 3];

/** The row or column of one of the four, or the last there is. */
export function atMost({ outer, fits }: FourPlace, last: number, lane = 0): Code {
  const code = sum(outer, String(lane));
  return fits ? code : `min(${code}, ${last})`;
}

export function sum(a: Code, b: Code): Code {
  return a === "0" ? b : b === "0" ? a : `${a} + ${b}`;
}

export function times(code: Code, factor: number): Code {
  if (code === "0" || factor === 0) return "0";
  if (factor === 1) return code;
  return /^\w+$/.test(code) ? `${code} * ${factor}` : `(${code}) * ${factor}`;
}

/** Returns four elements along an axis, from the index `name` on, with 0 from `end` on. */
export function returnFour(shader: ShaderWriter, end: Code | number, name: Code, element: (i: Code) => Code): void {
  shader.line("var four = vec4<f32>();");
  shader.block(`for (var i = 0; i < min(4, ${end} - ${name}); i++)`, () => shader.line(`four[i] = ${element("i")};`));
  shader.line("return four;");
}
