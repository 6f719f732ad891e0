import type { Precision } from "../../common/precision.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";

/** How an operand's numbers lie in workgroup memory, in fours. */
export interface TileFormat {
  /** Of an element. */
  readonly type: string;
  /** Elements of four numbers. */
  readonly perFour: number;
  /** Writes the four of a number. */
  readonly write: (shader: ShaderWriter, tile: string, number: Code, four: Code) => void;
}

interface ReadableFormat extends TileFormat {
  readonly unpack: (shader: ShaderWriter, element: Code) => Code;
}

/**
 * Halves are multiplied as floats, for which every product of theirs is exact: a half would round it, and lose it where
 * it is small. That is what matrix units do, too.
 */
export const TILE_FORMATS: Readonly<Record<Precision, ReadableFormat>> = {
  f32: {
    type: "vec4<f32>",
    perFour: 1,
    write: (shader, tile, number, four) => shader.line(`${tile}[${number}] = ${four};`),
    unpack: (_, element) => element,
  },
  f16: {
    type: "vec2<u32>",
    perFour: 1,
    write: (shader, tile, number, four) => shader.line(`${tile}[${number}] = ${shader.toHalves(four)};`),
    unpack: (shader, element) => shader.fromHalves(element),
  },
};
