import type { Affine } from "../affine.ts";
import { shapeOf } from "../kernel-shape.ts";
import { mapExpression, placesIn, visitExpression } from "../program.ts";
import type { Buffer, DotKernel, Expression, Kernel, MapKernel, ReduceKernel, Store, View } from "../program.ts";

type Joinable = MapKernel | ReduceKernel | DotKernel;

/** A kernel that could run as one with others of its key. */
export interface Candidate {
  readonly kernel: Joinable;
  readonly key: string;
  /** The operands that the key tells apart by their places in this list. */
  readonly operands: readonly Buffer[];
  /** Of buffers that are the same for all that may join. */
  readonly shared: readonly Buffer[];
  /** Whether it does the same to every element of its operands, whose lengths do not matter then. */
  readonly isLine: boolean;
}

export function candidateOf(kernel: Kernel): Candidate | undefined {
  if (kernel.kind !== "map" && kernel.kind !== "reduce" && kernel.kind !== "dot") return undefined;
  const same = kernel.kind === "map" ? lineOf(kernel) : undefined;
  if (same) {
    const { key, buffers } = shapeOf({ ...kernel, axes: [] }, { withLengths: false });
    const shared = buffers.filter((buffer) => !same.has(buffer));
    const operands = buffers.filter((buffer) => same.has(buffer));
    return { kernel, key: `line ${key}`, operands, shared, isLine: true };
  }
  const { key, buffers } = shapeOf(kernel);
  return { kernel, key, operands: buffers, shared: [], isLine: false };
}

/** If a map goes through whole buffers element by element, beside which it reads single elements at most: those buffers. */
function lineOf({ axes, stores }: MapKernel): Set<Buffer> | undefined {
  const elements = new Set<Buffer>();
  const singles = new Set<Buffer>();
  let isLine = axes.length === 1 && axes[0] > 1;
  const access = (buffer: Buffer, { offset, coefficients: [step] }: Affine): void => {
    isLine &&= step === 0 || (step === 1 && offset === 0 && buffer.length === axes[0]);
    (step === 0 ? singles : elements).add(buffer);
  };
  const seen = new Set<Expression>();
  for (const { buffer, index, value } of stores) {
    access(buffer, index);
    visitExpression(
      value,
      (node) => {
        if (node.kind === "load") access(node.buffer, node.index);
        isLine &&= node.kind === "load" ? !node.row : node.kind === "apply" || node.kind === "constant";
      },
      seen,
    );
  }
  isLine &&=
    stores.every(({ buffer }) => elements.has(buffer)) && [...singles].every((buffer) => !elements.has(buffer));
  return isLine ? elements : undefined;
}

/**
 * One kernel that does what candidates of one key do.
 *
 * @param operands what stands for each of theirs: a stretch, or what all of them use
 */
export function jointKernel(members: readonly Candidate[], operands: readonly Buffer[], alignment: number): Kernel {
  const [{ kernel, operands: own, isLine }] = members;
  const replaced = new Map(own.map((buffer, i) => [buffer, operands[i]]));
  if (isLine && kernel.kind === "map") {
    const [{ length }] = operands;
    return withOperands({ ...kernel, axes: [length] }, replaced, ({ index }) => index);
  }
  // Members are counted by an axis before all others.
  const stepOf = ({ source }: Buffer): number =>
    source.kind === "stretch" ? placesIn(source.parts, alignment).starts[1] : 0;
  const axes = [members.length, ...kernel.axes];
  return withOperands(withMembers(kernel, axes), replaced, ({ index: { offset, coefficients }, buffer }) => ({
    offset,
    coefficients: [buffer ? stepOf(buffer) : 0, ...coefficients],
  }));
}

function withMembers(kernel: Joinable, axes: readonly number[]): Joinable {
  switch (kernel.kind) {
    case "map":
      return { ...kernel, axes };
    case "reduce":
      return { ...kernel, axes, kept: kernel.kept + 1 };
    case "dot":
      return { ...kernel, axes, batch: kernel.batch + 1 };
  }
}

type MapIndex = (use: { readonly index: Affine; readonly buffer?: Buffer }) => Affine;

/** A kernel with other buffers in place of its own. */
function withOperands(kernel: Joinable, operands: ReadonlyMap<Buffer, Buffer>, mapIndex: MapIndex): Joinable {
  const of = (buffer: Buffer): Buffer => operands.get(buffer) ?? buffer;
  const memo = new Map<Expression, Expression>();
  const inside = (root: Expression): Expression => mapExpression(root, rewrite, memo);
  const rewrite = (node: Expression): Expression | undefined => {
    switch (node.kind) {
      case "load": {
        const buffer = of(node.buffer);
        const row = node.row && { ...node.row, row: inside(node.row.row) };
        return { ...node, buffer, index: mapIndex({ index: node.index, buffer }), ...(row && { row }) };
      }
      case "index":
        return { ...node, index: mapIndex({ index: node.index }) };
      case "within":
        return {
          ...node,
          index: mapIndex({ index: node.index }),
          inside: inside(node.inside),
          outside: inside(node.outside),
        };
      default:
        return undefined;
    }
  };
  const stored = (stores: readonly Store[]): Store[] =>
    stores.map(({ buffer, index, value }) => ({
      buffer: of(buffer),
      index: mapIndex({ index, buffer: of(buffer) }),
      value: inside(value),
    }));
  if (kernel.kind === "map") return { ...kernel, stores: stored(kernel.stores) };
  if (kernel.kind === "dot") {
    const viewed = ({ buffer, index }: View): View => ({
      buffer: of(buffer),
      index: mapIndex({ index, buffer: of(buffer) }),
    });
    return { ...kernel, lhs: viewed(kernel.lhs), rhs: viewed(kernel.rhs), stores: stored(kernel.stores) };
  }
  const stages = kernel.stages.map(({ accumulators, stores }) => ({
    accumulators: accumulators.map((accumulator) => ({ ...accumulator, value: inside(accumulator.value) })),
    stores: stored(stores),
  }));
  return { ...kernel, stages, stores: stored(kernel.stores) };
}
