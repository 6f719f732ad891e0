import type { Affine } from "../../../compiler/affine.ts";
import { mapIndices } from "../../../compiler/program.ts";
import type { Buffer, DotKernel, Expression } from "../../../compiler/program.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, affineCoder } from "../emit/expression-emitter.ts";
import { anyDecoder, decoder } from "../emit/grid.ts";
import { ShaderWriter } from "../emit/shader.ts";
import { Sizes } from "../emit/sizes.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../emit/shader.ts";
import { isAligned, storedAxis, vectorBuffers } from "../emit/vectors.ts";
import { emitProduct } from "./matrix-product.ts";
import { linearOperand } from "./operand.ts";
import { productSize } from "./product-size.ts";
import type { Tile } from "./tile.ts";

const LEAST_BATCH_AXES = 2;

export function emitDot(dot: DotKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const kernel = withBatchAxes(dot);
  const { axes, batch, lhs, rhs, stores } = kernel;
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
  const shader = new ShaderWriter(buffers, vectors, new Sizes());
  const batchAt = anyDecoder(shader, axes.slice(0, batch));
  const rowAt = decoder(shader, rowAxes);
  const indexOf = ({ offset, coefficients }: Affine): ((inBatch: readonly Code[], batchCode: Code) => Code) => {
    const steps = coefficients.slice(0, batch).map((c) => shader.anySize(c));
    const start = shader.anySize(offset);
    const inBatchOf = affineCoder({ offset: 0, coefficients }, shader);
    return (inBatch, batchCode) => {
      const ofBatch = batchAt(batchCode, "batch").map((at, axis) => `${at} * ${steps[axis]}`);
      return [...ofBatch, inBatchOf([...steps.map(() => "0"), ...inBatch]), start].join(" + ");
    };
  };
  const [lhsAt, rhsAt] = [indexOf(lhs.index), indexOf(rhs.index)];

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
      index: (batchCode, row) => lhsAt([...rowAt(row, "row"), "0", "0"], batchCode),
    }),
    rhs: linearOperand(shader, {
      buffer: rhs.buffer,
      inFours: rhsInFours,
      along: "outer",
      outer: size.columns,
      step: rhs.index.coefficients[innerAxis],
      index: (batchCode, column) => rhsAt([...rowAxes.map(() => "0"), column, "0"], batchCode),
    }),
    storesVectors: stored !== undefined,
    store: () => {
      const at = [...batchAt("batch", "batch"), ...rowAt("row", "row"), "column", "0"];
      const point = { at, results: ["product"], vectorAxis: stored && columnAxis };
      new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}

/**
 * Along two batch axes at least, of which some may be of one, so that products of one batch share the text with those of many.
 * There is no second place along an axis of one: whatever is added for it may as well be written as for others.
 */
function withBatchAxes(kernel: DotKernel): DotKernel {
  const added = new Array<number>(Math.max(0, LEAST_BATCH_AXES - kernel.batch)).fill(1);
  const batch = kernel.batch + added.length;
  const axes = [...added, ...kernel.axes];
  const extended = ({ offset, coefficients }: Affine): Affine => ({
    offset,
    coefficients: [...added.map(() => 0), ...coefficients],
  });
  const stored = (index: Affine, { length }: Buffer): Affine => {
    const { offset, coefficients } = extended(index);
    return { offset, coefficients: coefficients.map((c, axis) => (axis < batch && axes[axis] === 1 ? length : c)) };
  };
  const memo = new Map<Expression, Expression>();
  return {
    ...kernel,
    axes,
    batch,
    lhs: { ...kernel.lhs, index: extended(kernel.lhs.index) },
    rhs: { ...kernel.rhs, index: extended(kernel.rhs.index) },
    stores: kernel.stores.map(({ buffer, index, value }) => ({
      buffer,
      index: stored(index, buffer),
      value: mapIndices(value, extended, memo),
    })),
  };
}
