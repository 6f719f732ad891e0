import type { OpOf } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { coalesce, permuteAxes } from "./axes.ts";
import type { Loops } from "./axes.ts";
import type { BufferTable } from "./buffers.ts";
import { convolutionShape } from "../convolution-shape.ts";
import { NeedsSplit, NeedsStorage, buildOver, spaceOf } from "../expression.ts";
import type { Coordinates, ExpressionBuilder } from "../expression.ts";
import { builderFor, loops, storesOf, withBuffers } from "./lowering.ts";
import type { Buffer, Expression, Kernel, View } from "../program.ts";
import type { ScheduledKernel } from "../passes/scheduled-kernel.ts";
import { fitsLayout, lhsLayout, rhsLayout } from "../view.ts";
import type { ViewLayout } from "../view.ts";

export function lowerDot(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const { axes, groups, views, stores } = productLoops(kernel, table);
  const [lhs, rhs] = views;
  return { kind: "dot", axes, batch: groups[0], lhs, rhs, stores: withBuffers(kernel.stores, stores, table) };
}

/**
 * Loops over axes [...batch, ...rows, column, inner].
 *
 * @throws NeedsStorage of the product itself where what follows it splits its columns
 */
export function productLoops(
  kernel: Pick<ScheduledKernel, "results" | "stores">,
  table: Pick<BufferTable, "of">,
): Loops {
  const [result] = kernel.results;
  const [store] = kernel.stores;
  const [lhs, rhs] = result.inputs;
  // Four axes of 1 stand in for dimensions (batch, rows, columns, inner) that have no axis of their own.
  const built = buildOver([...store.shape, lhs.shape[2], 1, 1, 1, 1], (space) => {
    const builder = builderFor(space.axes, kernel, table);
    const stores = storesOf(kernel, builder, space, store.shape);
    const at = builder.resultCoordinates.get(0);
    if (!at) throw new Error("internal: a product is not used by its store");
    const [batch, row, column] = at;
    const inner = space.coordinates[store.rank];
    const view = (operand: Tensor, coordinates: Coordinates, layout: ViewLayout): View => {
      const loaded = viewOf(builder, operand, coordinates);
      // Scheduling may have stored a tensor on the way since it judged the operand.
      if (!fitsLayout(operand, space, coordinates, loaded.index, layout)) throw new NeedsStorage(operand);
      return loaded;
    };
    const views = [view(lhs, [batch, row, inner], lhsLayout), view(rhs, [batch, inner, column], rhsLayout)];
    return { axes: space.axes, stores, views, dimensions: [batch, row, column, inner] };
  });
  const firstSpare = built.axes.length - 4;
  const axesOf = built.dimensions.map(({ coefficients }, i) => {
    const own = coefficients.flatMap((c, axis) => (c !== 0 && axis < firstSpare ? [axis] : []));
    return own.length > 0 ? own : [firstSpare + i];
  });
  const used = new Set(axesOf.flat());
  const unused = built.axes.flatMap((_, axis) => (used.has(axis) ? [] : [axis]));
  axesOf[0].unshift(...unused);
  const whole = loops(built.axes, [], {
    stores: built.stores.map((s) => ({ ...s, buffer: PENDING })),
    views: built.views,
  });
  const joined = coalesce(
    permuteAxes(
      whole,
      axesOf.flat(),
      axesOf.map((axes) => axes.length),
    ),
  );
  if (joined.groups[2] !== 1 || joined.groups[3] !== 1) throw new NeedsStorage(result);
  return joined;
}

/** Takes the place of a store's buffer until the kernel is sure to be made. */
const PENDING: Buffer = { id: -1, dtype: "f32", length: 0, source: { kind: "temporary" } };

function viewOf(builder: ExpressionBuilder, operand: Tensor, coordinates: Coordinates): View {
  const view = builder.at(operand, coordinates);
  if (view.kind !== "load" || view.row) throw new NeedsStorage(operand);
  return { buffer: view.buffer, index: view.index };
}

/** An image as an expression over its own four axes; where that takes others, the image is stored first. */
function imageExpression(x: Tensor, kernel: ScheduledKernel, table: BufferTable): Expression {
  const space = spaceOf(x.shape);
  try {
    return builderFor(space.axes, kernel, table).at(x, space.coordinates);
  } catch (request) {
    throw request instanceof NeedsSplit ? new NeedsStorage(x) : request;
  }
}

export function lowerConvolution(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const [result] = kernel.results;
  const [x, w] = result.inputs;
  const op = result.op as OpOf<"convolution">;
  const space = spaceOf(result.shape);
  try {
    const stores = storesOf(kernel, builderFor(space.axes, kernel, table), space, kernel.stores[0].shape);
    const input = imageExpression(x, kernel, table);
    return {
      kind: "convolution",
      shape: convolutionShape(x, result.shape, w.shape, w.shape[3], op),
      input,
      weight: table.require(w),
      axes: space.axes,
      stores: withBuffers(kernel.stores, stores, table),
    };
  } catch (request) {
    throw request instanceof NeedsSplit ? new NeedsStorage(result) : request;
  }
}

export function lowerFilterGradient(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const [result] = kernel.results;
  const [x, dy] = result.inputs;
  const op = result.op as OpOf<"convolution_filter_gradient">;
  return {
    kind: "filterGradient",
    shape: convolutionShape(x, dy.shape, op.kernel, dy.shape[3], op),
    parts: op.parts ?? 1,
    input: imageExpression(x, kernel, table),
    cotangent: table.require(dy),
    result: table.add(result),
  };
}
