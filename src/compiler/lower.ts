import type { DType } from "../tensor/dtype.ts";
import type { Graph } from "../tensor/graph.ts";
import { isStoredLeaf } from "./schedule.ts";
import type { ScheduledKernel } from "./schedule.ts";
import type { ConvolutionWindow, OpOf } from "../tensor/op.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { flatten } from "./affine.ts";
import type { Affine } from "./affine.ts";
import { coalesce, permuteAxes } from "./axes.ts";
import type { Loops } from "./axes.ts";
import { ExpressionBuilder, NeedsSplit, NeedsStorage, buildOver, spaceOf } from "./expression.ts";
import type { Coordinates, Space } from "./expression.ts";
import { fitsLayout, lhsLayout, rhsLayout } from "./view.ts";
import type { ViewLayout } from "./view.ts";
import type { Buffer, BufferSource, ConvolutionShape, Expression, Kernel, Store, View } from "./program.ts";

/** Gives stored tensors their buffers. */
export class BufferTable {
  readonly buffers: Buffer[] = [];
  readonly #byTensor = new Map<Tensor, Buffer>();

  allocate(
    like: { readonly dtype: DType; readonly size: number },
    source: BufferSource = { kind: "temporary" },
  ): Buffer {
    const buffer = { id: this.buffers.length, dtype: like.dtype, length: like.size, source };
    this.buffers.push(buffer);
    return buffer;
  }

  allocateVariable(variable: Variable): Buffer {
    return this.allocate(variable, { kind: "variable", variable });
  }

  of(tensor: Tensor): Buffer | undefined {
    const known = this.#byTensor.get(tensor);
    if (known || !isStoredLeaf(tensor)) return known;
    const buffer = this.allocate(tensor, sourceOf(tensor));
    this.#byTensor.set(tensor, buffer);
    return buffer;
  }

  add(tensor: Tensor): Buffer {
    const buffer = this.allocate(tensor);
    this.#byTensor.set(tensor, buffer);
    return buffer;
  }

  require(tensor: Tensor): Buffer {
    const buffer = this.of(tensor);
    if (!buffer) throw new Error(`internal: ${tensor.toString()} is read before it is stored`);
    return buffer;
  }
}

function sourceOf({ op }: Tensor): BufferSource {
  if (op.kind === "input") return { kind: "input", index: op.index };
  if (op.kind === "variable") return { kind: "variable", variable: op.variable };
  if (op.kind === "literal") return { kind: "literal", data: op.data };
  throw new Error(`internal: ${op.kind} is no leaf`);
}

/** Index arithmetic for every scheduled kernel. Throws NeedsStorage where one cannot be expressed. */
export function lower(graph: Graph, schedule: readonly ScheduledKernel[], table: BufferTable): Kernel[] {
  for (const input of graph.inputs) table.of(input);
  return schedule.flatMap((kernel) => {
    if (kernel.stores.some((store) => store.size > 0)) return [lowerings[kernel.kind](kernel, table)];
    for (const store of kernel.stores) table.add(store);
    return [];
  });
}

type Lowering = (kernel: ScheduledKernel, table: BufferTable) => Kernel;

const lowerings: { readonly [K in ScheduledKernel["kind"]]: Lowering } = {
  map: lowerMap,
  reduce: lowerReduce,
  dot_general: lowerDot,
  convolution: lowerConvolution,
  convolution_filter_gradient: lowerFilterGradient,
};

/** Expressions of one kernel: what it stores itself is computed, what others stored is loaded. */
function builderFor(axes: readonly number[], kernel: ScheduledKernel, table: BufferTable): ExpressionBuilder {
  return new ExpressionBuilder({
    axes,
    bufferOf: (tensor) => table.of(tensor),
    slotOf: (tensor) => {
      const slot = kernel.results.indexOf(tensor);
      return slot === -1 ? undefined : slot;
    },
  });
}

function storesOf(
  kernel: ScheduledKernel,
  builder: ExpressionBuilder,
  space: Space,
  rank: number,
): Omit<Store, "buffer">[] {
  return kernel.stores.map((tensor) => {
    const coordinates = space.coordinates.slice(0, tensor.rank);
    return { index: flatten(coordinates, tensor.shape, rank), value: builder.at(tensor, coordinates) };
  });
}

/** Buffers appear only after all expressions were built, so that none reads its own kernel's. */
function withBuffers(kernel: ScheduledKernel, stores: readonly Omit<Store, "buffer">[], table: BufferTable): Store[] {
  return stores.map((store, i) => ({ ...store, buffer: table.add(kernel.stores[i]) }));
}

function loops(axes: readonly number[], groups: readonly number[], parts: Partial<Loops>): Loops {
  return { axes, groups, stores: [], values: [], views: [], ...parts };
}

function lowerMap(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const shape = atLeastOneAxis(kernel.stores[0].shape);
  const { axes, stores } = buildOver(shape, (space) => {
    const builder = builderFor(space.axes, kernel, table);
    return { axes: space.axes, stores: storesOf(kernel, builder, space, space.axes.length) };
  });
  const result = coalesce(loops(axes, [axes.length], { stores: withBuffers(kernel, stores, table) }));
  return { kind: "map", axes: result.axes, stores: result.stores };
}

function atLeastOneAxis(shape: readonly number[]): readonly number[] {
  return shape.length === 0 ? [1] : shape;
}

function lowerReduce(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const reductions = kernel.results.map(({ op, inputs: [input] }) => ({ op: op as OpOf<"reduce">, input }));
  const [{ op, input }] = reductions;
  const reducedShape = op.axes.map((axis) => input.shape[axis]);
  const storeShape = kernel.stores[0].shape;
  const built = buildOver([...storeShape, ...reducedShape], (space) => {
    const builder = builderFor(space.axes, kernel, table);
    const stores = storesOf(kernel, builder, space, space.axes.length);
    const reduced = space.coordinates.slice(storeShape.length);
    const values = reductions.map((reduction, slot) => {
      const kept = builder.resultCoordinates.get(slot);
      if (!kept) throw new Error("internal: a reduction's result is not used by its store");
      return builder.at(reduction.input, interleave(kept, reduced, op.axes));
    });
    const kept = space.axes.map((_, axis) => reduced.every(({ coefficients }) => coefficients[axis] === 0));
    return { axes: space.axes, stores, values, kept };
  });
  const keptAxes = built.axes.flatMap((_, axis) => (built.kept[axis] ? [axis] : []));
  const reducedAxes = built.axes.flatMap((_, axis) => (built.kept[axis] ? [] : [axis]));
  const stores = withBuffers(kernel, built.stores, table);
  const whole = loops(built.axes, [], { stores, values: built.values });
  const result = coalesce(permuteAxes(whole, [...keptAxes, ...reducedAxes], [keptAxes.length, reducedAxes.length]));
  const accumulators = reductions.map((reduction, i) => ({
    reduction: reduction.op.reduction,
    dtype: reduction.input.dtype,
    value: result.values[i],
  }));
  return { kind: "reduce", axes: result.axes, kept: result.groups[0], accumulators, stores: result.stores };
}

function interleave(kept: Coordinates, reduced: Coordinates, axes: readonly number[]): Coordinates {
  const coordinates: Affine[] = [];
  let next = 0;
  for (let axis = 0; axis < kept.length + reduced.length; axis++) {
    const at = axes.indexOf(axis);
    coordinates.push(at === -1 ? kept[next++] : reduced[at]);
  }
  return coordinates;
}

function lowerDot(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const [result] = kernel.results;
  const [store] = kernel.stores;
  const [lhs, rhs] = result.inputs;
  // Three axes of 1 stand in for dimensions (batch, rows, columns) that leave no axis of their own.
  const built = buildOver([...store.shape, lhs.shape[2], 1, 1, 1], (space) => {
    const rank = space.axes.length;
    const builder = builderFor(space.axes, kernel, table);
    const stores = storesOf(kernel, builder, space, rank);
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
  const firstSpare = built.axes.length - 3;
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
  const [left, right] = joined.views;
  return {
    kind: "dot",
    axes: joined.axes,
    batch: joined.groups[0],
    lhs: left,
    rhs: right,
    stores: withBuffers(kernel, joined.stores, table),
  };
}

/** Takes the place of a store's buffer until the kernel is sure to be made. */
const PENDING: Buffer = { id: -1, dtype: "f32", length: 0, source: { kind: "temporary" } };

function viewOf(builder: ExpressionBuilder, operand: Tensor, coordinates: Coordinates): View {
  const view = builder.at(operand, coordinates);
  if (view.kind !== "load" || view.row) throw new NeedsStorage(operand);
  return { buffer: view.buffer, index: view.index };
}

function convolutionShape(
  x: Tensor,
  output: readonly number[],
  kernel: readonly number[],
  outChannels: number,
  op: ConvolutionWindow,
): ConvolutionShape {
  return {
    batch: x.shape[0],
    input: [x.shape[1], x.shape[2]],
    output: [output[1], output[2]],
    kernel: [kernel[0], kernel[1]],
    strides: op.strides,
    padding: op.padding,
    inChannels: x.shape[3],
    outChannels,
  };
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

function lowerConvolution(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const [result] = kernel.results;
  const [x, w] = result.inputs;
  const op = result.op as OpOf<"convolution">;
  const space = spaceOf(result.shape);
  try {
    const stores = storesOf(kernel, builderFor(space.axes, kernel, table), space, space.axes.length);
    const input = imageExpression(x, kernel, table);
    return {
      kind: "convolution",
      shape: convolutionShape(x, result.shape, w.shape, w.shape[3], op),
      input,
      weight: table.require(w),
      axes: space.axes,
      stores: withBuffers(kernel, stores, table),
    };
  } catch (request) {
    throw request instanceof NeedsSplit ? new NeedsStorage(result) : request;
  }
}

function lowerFilterGradient(kernel: ScheduledKernel, table: BufferTable): Kernel {
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
