import type { DotKernel } from "../../../compiler/program.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, affineCode } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { ShaderWriter } from "../emit/shader.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../emit/shader.ts";
import { isAligned, storedAxis, vectorBuffers } from "../emit/vectors.ts";
import { emitProduct } from "./matrix-product.ts";
import { linearOperand } from "./operand.ts";
import { productSize } from "./product-size.ts";
import type { Tile } from "./tile.ts";

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
  const batchAt = (batchCode: Code): Code[] => decode(shader, batchAxes, batchCode, "batch");
  const rowAt = (row: Code): Code[] => decode(shader, rowAxes, row, "row");

  const product = {
    name: "dot",
    ...size,
    isSumInParts: false,
    lhsAlongRows,
    lhs: linearOperand(shader, {
      buffer: lhs.buffer,
      inFours: lhsInFours,
      along: lhsAlongRows ? "outer" : "inner",
      outer: size.rows,
      step: lhs.index.coefficients[innerAxis],
      index: (batchCode, row) => affineCode(lhs.index, [...batchAt(batchCode), ...rowAt(row), "0", "0"]),
    }),
    rhs: linearOperand(shader, {
      buffer: rhs.buffer,
      inFours: rhsInFours,
      along: "outer",
      outer: size.columns,
      step: rhs.index.coefficients[innerAxis],
      index: (batchCode, column) =>
        affineCode(rhs.index, [...batchAt(batchCode), ...rowAxes.map(() => "0"), column, "0"]),
    }),
    storesVectors: stored !== undefined,
    store: () => {
      const at = [...batchAt("batch"), ...rowAt("row"), "column", "0"];
      const point = { at, results: ["product"], vectorAxis: stored && columnAxis };
      new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}
