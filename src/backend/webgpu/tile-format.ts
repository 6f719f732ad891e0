import type { Precision } from "../precision.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** How four numbers lie in workgroup memory. */
interface TileFormat {
  readonly type: string;
  readonly pack: (shader: ShaderWriter, four: Code) => Code;
  readonly unpack: (shader: ShaderWriter, word: Code) => Code;
}

/**
 * Halves are multiplied as floats, for which every product of theirs is exact: a half would round it, and lose it where
 * it is small. That is what matrix units do, too.
 */
export const TILE_FORMATS: Readonly<Record<Precision, TileFormat>> = {
  f32: { type: "vec4<f32>", pack: (_, four) => four, unpack: (_, word) => word },
  f16: {
    type: "vec2<u32>",
    pack: (shader, four) => shader.toHalves(four),
    unpack: (shader, word) => shader.fromHalves(word),
  },
};
