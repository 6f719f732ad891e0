import { topologicalOrder, rootsOf } from "../tensor/graph.ts";
import type { Graph } from "../tensor/graph.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Affine } from "./affine.ts";
import { readsOf, writesOf } from "./accesses.ts";
import { partsOf, placesIn } from "./program.ts";
import type {
  AttentionGradientKernel,
  AttentionKernel,
  Buffer,
  Expression,
  Kernel,
  Program,
  Store,
  View,
} from "./program.ts";
import { beyond, boundsIn, narrow, rangesOf } from "./passes/ranges.ts";
import type { KnownRanges, Ranges } from "./passes/ranges.ts";

/** What must hold after `legalize`; throws where it does not. Tests run it, programs do not. */
export function checkLegal(graph: Graph): void {
  for (const node of topologicalOrder(rootsOf(graph))) {
    const fault = faultOf(node);
    if (fault) throw new Error(`legalize: ${fault} in ${node.toString()}`);
  }
}

function faultOf({ op, inputs }: Tensor): string | undefined {
  switch (op.kind) {
    case "scatter_add":
      return "a scatter";
    case "pad":
      return op.interior.some((n) => n > 0) ? "interior padding" : undefined;
    case "convolution":
    case "convolution_filter_gradient": {
      if ([...op.lhsDilation, ...op.rhsDilation].some((n) => n !== 1)) return "dilation";
      return op.padding.flat().some((n) => n < 0) ? "negative padding" : undefined;
    }
    case "dot_general": {
      const isMatrices = inputs.every((x) => x.rank === 3) && op.lhsContract[0] === 2 && op.rhsContract[0] === 1;
      return isMatrices && op.lhsBatch.length === 1
        ? undefined
        : "a product that is not [batch, rows, inner] x [batch, inner, columns]";
    }
    case "reduce":
      return inputs[0].size === 0 ? "a reduction of nothing" : undefined;
    default:
      return undefined;
  }
}

/**
 * What must hold of a lowered program: nothing is read before it is written, every index lies inside its buffer
 * where its conditions hold, kernels write whole buffers, and results are used after they are known.
 */
export function checkProgram(program: Program): void {
  const written = new Set<Buffer>(program.buffers.filter(({ source }) => source.kind !== "temporary"));
  program.kernels.forEach((kernel, i) => {
    const fail = (fault: string): never => {
      throw new Error(`kernel ${i} (${kernel.kind}): ${fault}`);
    };
    // A reduction may read back in a later stage what it stored in an earlier one.
    const own = new Set(kernel.kind === "reduce" ? writesOf(kernel) : []);
    for (const buffer of readsOf(kernel))
      if (!written.has(buffer) && !own.has(buffer) && buffer.length > 0)
        fail(`reads buffer ${buffer.id} before it is written`);
    checkIndices(kernel, fail);
    for (const buffer of writesOf(kernel)) written.add(buffer);
  });
  for (const buffer of program.outputs)
    if (!written.has(buffer) && buffer.length > 0) throw new Error(`output ${buffer.id} is never written`);
}

type Fail = (fault: string) => never;

function checkIndices(kernel: Kernel, fail: Fail): void {
  switch (kernel.kind) {
    case "map":
      checkStores(kernel.stores, kernel.axes, fail);
      break;
    case "reduce": {
      const slots = new Set<number>();
      for (const { accumulators, stores } of kernel.stages) {
        for (const { value } of accumulators) checkValue(value, rangesOf(kernel.axes), slots, fail);
        checkStores(stores, kernel.axes, fail, slots);
        for (const { slot } of accumulators) slots.add(slot);
      }
      checkStores(
        kernel.stores,
        kernel.axes.map((n, axis) => (axis < kernel.kept ? n : 1)),
        fail,
        slots,
      );
      break;
    }
    case "dot":
      for (const { buffer, index } of [kernel.lhs, kernel.rhs]) checkBounds(buffer, index, rangesOf(kernel.axes), fail);
      checkStores(kernel.stores, [...kernel.axes.slice(0, -1), 1], fail, new Set([0]));
      break;
    case "convolution":
      checkImage(kernel, fail);
      checkStores(kernel.stores, kernel.axes, fail, new Set([0]));
      break;
    case "filterGradient":
      checkImage(kernel, fail);
      break;
    case "attention":
    case "attentionGradient":
      checkAttention(kernel, fail);
      break;
    case "transform":
      throw new Error("internal: no pass of the compiler makes a transform");
  }
}

function checkImage(
  { input, shape }: Pick<Extract<Kernel, { kind: "convolution" }>, "input" | "shape">,
  fail: Fail,
): void {
  checkValue(input, rangesOf([shape.batch, ...shape.input, shape.inChannels]), new Set(), fail);
}

function checkAttention(kernel: AttentionKernel | AttentionGradientKernel, fail: Fail): void {
  const { batch, queries, keys, heads, channels } = kernel.shape;
  const check = ({ buffer, index }: View, tokens: number): void =>
    checkBounds(buffer, index, rangesOf([batch, tokens, heads, channels]), fail);
  const checkLength = (buffer: Buffer | undefined, elements: number): void => {
    if (buffer && buffer.length !== elements)
      fail(`uses ${elements} elements of buffer ${buffer.id} of ${buffer.length}`);
  };
  const [byQuery, byKey] = [queries, keys].map((tokens) => batch * tokens * heads);
  check(kernel.query, queries);
  for (const view of [kernel.key, kernel.value]) check(view, keys);
  checkLength(kernel.logsumexp, byQuery);
  if (kernel.kind === "attention") {
    checkLength(kernel.result, byQuery * channels);
    return;
  }
  check(kernel.cotangent, queries);
  checkLength(kernel.delta, byQuery);
  checkLength(kernel.byQuery, byQuery * channels);
  for (const buffer of [kernel.byKey, kernel.byValue]) checkLength(buffer, byKey * channels);
}

function checkStores(
  stores: readonly Store[],
  axes: readonly number[],
  fail: Fail,
  slots: ReadonlySet<number> = new Set(),
): void {
  const elements = axes.reduce((product, n) => product * n, 1);
  for (const { buffer, index, value } of stores) {
    const { length } = placesIn(partsOf(buffer), 1);
    if (elements !== buffer.length && elements !== length)
      fail(`writes ${elements} elements to buffer ${buffer.id} of ${buffer.length}`);
    checkBounds(buffer, index, rangesOf(axes), fail);
    checkValue(value, rangesOf(axes), slots, fail);
  }
}

function checkBounds(buffer: Buffer, index: Affine, ranges: Ranges, fail: Fail, rowSpan = 0): void {
  const [low, high] = boundsIn(index, ranges);
  if (low < 0 || high + rowSpan >= buffer.length)
    fail(`an index from ${low} to ${high + rowSpan} into buffer ${buffer.id} of ${buffer.length}`);
}

/** Follows an expression into the branches that can be taken. */
function checkValue(node: Expression, ranges: KnownRanges, slots: ReadonlySet<number>, fail: Fail): void {
  if (ranges?.some(([low, high]) => low > high)) return;
  switch (node.kind) {
    case "load":
      if (node.row) checkValue(node.row.row, ranges, slots, fail);
      if (ranges)
        checkBounds(node.buffer, node.index, ranges, fail, node.row ? node.row.stride * (node.row.rows - 1) : 0);
      break;
    case "apply":
      for (const arg of node.args) checkValue(arg, ranges, slots, fail);
      break;
    case "within":
      checkValue(node.inside, narrow(ranges, node.index, node.low, node.high - 1), slots, fail);
      checkValue(node.outside, beyond(ranges, node.index, node.low, node.high), slots, fail);
      break;
    case "result":
      if (!slots.has(node.slot)) fail(`uses result ${node.slot} before it is known`);
      break;
    case "constant":
    case "index":
  }
}
