import type { DotKernel } from "../../../compiler/program.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, affineCode } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { emitProduct } from "./matrix-product.ts";
import { returnFour } from "./operand-tiles.ts";
import { productSize } from "./product-size.ts";
import { ShaderWriter } from "../emit/shader.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../emit/shader.ts";
import type { Tile } from "./tile.ts";
import { isAligned, storedAxis, vectorBuffers } from "../emit/vectors.ts";

export function emitDot(kernel: DotKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { axes, batch, lhs, rhs, stores } = kernel;
  const batchAxes = axes.slice(0, batch);
  const rowAxes = axes.slice(batch, -2);
  const size = productSize(kernel);
  const [columnAxis, innerAxis] = [storedAxis(kernel), axes.length - 1];
  const lhsAlongRows = lhs.index.coefficients[innerAxis] !== 1;
  const lhsInFours = lhsAlongRows
    ? rowAxes.length > 0 && isAligned(lhs.index, axes, columnAxis - 1)
    : isAligned(lhs.index, axes, innerAxis);
  const rhsInFours = isAligned(rhs.index, axes, columnAxis);
  const stored = vectorBuffers([], stores, axes, columnAxis);
  const vectors = [...(stored ?? []), ...(lhsInFours ? [lhs.buffer] : []), ...(rhsInFours ? [rhs.buffer] : [])];
  const shader = new ShaderWriter(buffers, vectors);
  const batchAt = (): Code[] => decode(shader, batchAxes, "batch");
  const rowAt = (): Code[] => decode(shader, rowAxes, "row");
  const lhsIndex = (): Code => shader.bind("at", affineCode(lhs.index, [...batchAt(), ...rowAt(), "0", "inner"]));
  if (!lhsInFours)
    shader.function("lhs_element(batch: i32, row: i32, inner: i32) -> f32", () =>
      shader.line(`return ${shader.load(lhs.buffer, lhsIndex())};`),
    );

  const product = {
    name: "dot",
    ...size,
    lhsAlongRows,
    lhs: () => {
      shader.line(`if (row >= ${size.rows} || inner >= ${size.inner}) { return vec4<f32>(); }`);
      if (lhsInFours) shader.line(`return ${shader.loadVector(lhs.buffer, lhsIndex())};`);
      else if (lhsAlongRows) returnFour(shader, size.rows, "row", (i) => `lhs_element(batch, row + ${i}, inner)`);
      else returnFour(shader, size.inner, "inner", (i) => `lhs_element(batch, row, inner + ${i})`);
    },
    rhs: () => {
      shader.line(`if (inner >= ${size.inner} || column >= ${size.columns}) { return vec4<f32>(); }`);
      const place = [...batchAt(), ...rowAxes.map(() => "0"), "column", "inner"];
      const at = shader.bind("at", affineCode(rhs.index, place));
      if (rhsInFours) shader.line(`return ${shader.loadVector(rhs.buffer, at)};`);
      else returnFour(shader, size.columns, "column", (i) => shader.load(rhs.buffer, `${at} + ${i}`));
    },
    storesVectors: stored !== undefined,
    store: () => {
      const at = [...batchAt(), ...rowAt(), "column", "0"];
      const point = { at, results: ["product"], vectorAxis: stored && columnAxis };
      new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}
