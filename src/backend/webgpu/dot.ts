import type { DotKernel, View } from "../../compiler/program.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { Evaluator, affineCode, countUses } from "./evaluator.ts";
import { decode } from "./grid.ts";
import { chooseTile, emitProduct } from "./matrix-product.ts";
import { ShaderWriter } from "./shader.ts";
import type { Code, Dispatch, ShaderBuffers } from "./shader.ts";

export function emitDot(kernel: DotKernel, buffers: ShaderBuffers): Dispatch {
  const { axes, batch, lhs, rhs, stores } = kernel;
  const batchAxes = axes.slice(0, batch);
  const rowAxes = axes.slice(batch, -2);
  const [columns, inner] = axes.slice(-2);
  const rows = sizeOf(rowAxes);
  const vectors = [...new Set([lhs.buffer, rhs.buffer])].filter((buffer) => readsVectors(kernel, buffer));
  const shader = new ShaderWriter(buffers, vectors);

  const product = {
    name: "dot",
    batches: sizeOf(batchAxes),
    rows,
    columns,
    inner,
    lhsAlongRows: lhs.index.coefficients[axes.length - 1] !== 1,
    lhs: () => {
      const at = [...decode(shader, batchAxes, "batch"), ...decode(shader, rowAxes, "row"), "0", "inner"];
      shader.line(`if (row >= ${rows}) { return vec4<f32>(); }`);
      emitFour(shader, lhs, at, axes.length - 1, inner, "inner");
    },
    rhs: () => {
      const at = [...decode(shader, batchAxes, "batch"), ...rowAxes.map(() => "0"), "column", "inner"];
      shader.line(`if (inner >= ${inner}) { return vec4<f32>(); }`);
      emitFour(shader, rhs, at, axes.length - 2, columns, "column");
    },
    store: () => {
      const at = [...decode(shader, batchAxes, "batch"), ...decode(shader, rowAxes, "row"), "column", "0"];
      new Evaluator(shader, countUses(stores.map((store) => store.value)), { at, results: ["product"] }).store(stores);
    },
  };
  return emitProduct(shader, product, chooseTile(product));
}

/** Four elements along an axis, and zeros beyond its end. */
function emitFour(shader: ShaderWriter, view: View, at: readonly Code[], axis: number, size: number, name: Code): void {
  const index = shader.bind("at", affineCode(view.index, at));
  const step = view.index.coefficients[axis];
  if (step === 1 && shader.isVector(view.buffer)) {
    shader.line(`if (${name} >= ${size}) { return vec4<f32>(); }`);
    shader.line(`return ${shader.loadVector(view.buffer, index)};`);
    return;
  }
  emitElements(shader, size, name, (i) => shader.load(view.buffer, `${index} + ${i} * ${step}`));
}

/** Returns four elements from `name` on of an axis, and zeros beyond its end. */
export function emitElements(shader: ShaderWriter, size: number, name: Code, element: (i: Code) => Code): void {
  shader.line("var four = vec4<f32>();");
  shader.line(`let count = min(4, ${size} - ${name});`);
  shader.block("for (var i = 0; i < count; i++)", () => shader.line(`four[i] = ${element("i")};`));
  shader.line("return four;");
}

/** Whether all that a product reads of a buffer are aligned runs of four. */
function readsVectors({ axes, lhs, rhs }: DotKernel, buffer: View["buffer"]): boolean {
  const isAligned = ({ index }: View, axis: number): boolean =>
    index.coefficients.every((c, other) => (other === axis ? c === 1 || axes[axis] === 1 : c % 4 === 0)) &&
    index.offset % 4 === 0 &&
    axes[axis] % 4 === 0;
  if (buffer === lhs.buffer && !isAligned(lhs, axes.length - 1)) return false;
  return buffer !== rhs.buffer || isAligned(rhs, axes.length - 2);
}
