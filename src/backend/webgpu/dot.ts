import type { DotKernel, View } from "../../compiler/program.ts";
import { Evaluator, affineCode, countUses } from "./evaluator.ts";
import { decode } from "./grid.ts";
import { emitProduct, returnFour } from "./matrix-product.ts";
import { productSize } from "./product-size.ts";
import { ShaderWriter } from "./shader.ts";
import type { Code, Dispatch, ShaderBuffers } from "./shader.ts";
import type { Tile } from "./tile.ts";
import { isAligned, vectorBuffers } from "./vectors.ts";

export function emitDot(kernel: DotKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { axes, batch, lhs, rhs, stores } = kernel;
  const batchAxes = axes.slice(0, batch);
  const rowAxes = axes.slice(batch, -2);
  const size = productSize(kernel);
  const [columnAxis, innerAxis] = [axes.length - 2, axes.length - 1];
  const stored = vectorBuffers([], stores, axes, columnAxis);
  const vectors = new Set(stored);
  if (isAligned(lhs.index, axes, innerAxis)) vectors.add(lhs.buffer);
  if (isAligned(rhs.index, axes, columnAxis)) vectors.add(rhs.buffer);
  const shader = new ShaderWriter(buffers, vectors);

  const product = {
    name: "dot",
    ...size,
    lhsAlongRows: lhs.index.coefficients[innerAxis] !== 1,
    lhs: () => {
      shader.line(`if (row >= ${size.rows}) { return vec4<f32>(); }`);
      const at = [...decode(shader, batchAxes, "batch"), ...decode(shader, rowAxes, "row"), "0", "inner"];
      returnView(shader, lhs, { at, axes, axis: innerAxis, name: "inner" });
    },
    rhs: () => {
      shader.line(`if (inner >= ${size.inner}) { return vec4<f32>(); }`);
      const at = [...decode(shader, batchAxes, "batch"), ...rowAxes.map(() => "0"), "column", "inner"];
      returnView(shader, rhs, { at, axes, axis: columnAxis, name: "column" });
    },
    storesVectors: stored !== undefined,
    store: () => {
      const at = [...decode(shader, batchAxes, "batch"), ...decode(shader, rowAxes, "row"), "column", "0"];
      const point = { at, results: ["product"], vectorAxis: stored && columnAxis };
      new Evaluator(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}

interface Four {
  readonly at: readonly Code[];
  readonly axes: readonly number[];
  /** Along which four elements are read, and what the index there is called. */
  readonly axis: number;
  readonly name: Code;
}

function returnView(shader: ShaderWriter, { buffer, index }: View, { at, axes, axis, name }: Four): void {
  const first = shader.bind("at", affineCode(index, at));
  if (isAligned(index, axes, axis)) {
    shader.line(`if (${name} >= ${axes[axis]}) { return vec4<f32>(); }`);
    shader.line(`return ${shader.loadVector(buffer, first)};`);
    return;
  }
  const step = index.coefficients[axis];
  returnFour(shader, axes[axis], name, (i) => shader.load(buffer, `${first} + ${i}${step === 1 ? "" : ` * ${step}`}`));
}
