import type { MapKernel } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { ShaderWriter } from "../emit/shader.ts";
import { Sizes } from "../emit/sizes.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { ShaderBuffers } from "../emit/shader.ts";
import { storedAxis, vectorBuffers } from "../emit/vectors.ts";

const WORKGROUP = 256;

/** One invocation for every element, or for four of them. */
export function emitMap(kernel: MapKernel, buffers: ShaderBuffers): Dispatch {
  const { axes, stores } = kernel;
  const last = storedAxis(kernel);
  const vectors = vectorBuffers([], stores, axes, last);
  const shader = new ShaderWriter(buffers, vectors, new Sizes());
  const vectorAxis = vectors ? last : undefined;
  const units = vectors ? axes.with(last, axes[last] / 4) : axes;
  const count = sizeOf(units);
  shader.line(`let unit = group * ${WORKGROUP} + local;`);
  shader.line(`if (unit >= ${shader.size(count)}) { return; }`);
  const at = decode(shader, units, "unit");
  if (vectors && at[last] !== "0") at[last] = shader.bind("i", `${at[last]} * 4`);
  new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), { at, vectorAxis }).store(stores);
  return shader.finish("map", WORKGROUP, Math.ceil(count / WORKGROUP));
}
