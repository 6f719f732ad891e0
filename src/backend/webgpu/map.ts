import type { MapKernel } from "../../compiler/program.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { Evaluator, countUses } from "./evaluator.ts";
import { decode } from "./grid.ts";
import { ShaderWriter } from "./shader.ts";
import type { Dispatch, ShaderBuffers } from "./shader.ts";

const WORKGROUP = 256;

/** One invocation for every element. */
export function emitMap({ axes, stores }: MapKernel, buffers: ShaderBuffers): Dispatch {
  const shader = new ShaderWriter(buffers);
  const count = sizeOf(axes);
  const size = Math.min(WORKGROUP, 64 * Math.ceil(count / 64));
  shader.line(`let element = group * ${size} + local;`);
  if (count % size !== 0) shader.line(`if (element >= ${count}) { return; }`);
  const at = decode(shader, axes, "element");
  new Evaluator(shader, countUses(stores.map((store) => store.value)), { at }).store(stores);
  return shader.finish("map", size, Math.ceil(count / size));
}
