import { isElementwise } from "../../tensor/op.ts";
import { formatShape, sameShape, sizeOf } from "../../tensor/shape.ts";
import type { AttentionOp } from "../../tensor/attention.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Fusion } from "../target.ts";
import { isTransposed, operationsOf } from "./cone.ts";
import { reductionKey } from "./scheduled-kernel.ts";
import type { ScheduledKernel } from "./scheduled-kernel.ts";
import { isReframed } from "./tails.ts";

/**
 * Joins kernels that read the same memory: side by side, then maps element by element, then row by row, then what maps are
 * left.
 *
 * @param updates the next values of variables: they are written in place, which rows that are read again could not be
 */
export function mergeKernels(
  kernels: readonly ScheduledKernel[],
  updates: ReadonlySet<Tensor>,
  fusion: Fusion,
): ScheduledKernel[] {
  const beside = merge(merge(kernels, attentionTogether), sideBySide(fusion));
  const following = merge(merge(beside, elementByElement(fusion, updates)), summed(fusion, updates));
  return merge(merge(following, stacked(fusion, updates)), inOneSpace(fusion));
}

/** Gives the joined kernel, or nothing. `kernel` comes after `into` and everything else that it reads is ready before. */
type Join = (into: ScheduledKernel, kernel: ScheduledKernel) => ScheduledKernel | undefined;

interface Joining {
  /** Kernels are candidates only for those with the same key. */
  readonly keyOf: (kernel: ScheduledKernel) => string | undefined;
  /** Whether `into` may make what `kernel` reads. */
  readonly mayFeed: boolean;
  readonly join: Join;
}

function merge(kernels: readonly ScheduledKernel[], { keyOf, mayFeed, join }: Joining): ScheduledKernel[] {
  const position = new Map<Tensor, number>();
  /** Of the last kernel so far that reads what a kernel stores. */
  const lastUse = new Map<Tensor, number>();
  const merged: (ScheduledKernel | undefined)[] = [];
  const open = new Map<string, number[]>();
  const place = (kernel: ScheduledKernel): void => {
    const key = keyOf(kernel);
    const candidates = key === undefined ? [] : (open.get(key) ?? []);
    const positions = [...kernel.reads].map((tensor) => position.get(tensor) ?? -1);
    for (const at of candidates) {
      const into = merged[at];
      const isReady = positions.every((made) => made < at || (mayFeed && made === at));
      // Where nothing has used it yet, what was before may as well run now.
      const mayWait = mayFeed && into?.stores.every((store) => (lastUse.get(store) ?? -1) < at);
      const joined = into && (isReady || mayWait) ? join(into, kernel) : undefined;
      if (!joined) continue;
      if (isReady) put(joined, at);
      else {
        merged[at] = undefined;
        place(joined);
      }
      return;
    }
    if (key !== undefined) open.set(key, [...candidates.filter((at) => merged[at]), merged.length]);
    put(kernel, merged.length);
  };
  const put = (kernel: ScheduledKernel, at: number): void => {
    merged[at] = kernel;
    for (const store of kernel.stores) position.set(store, at);
    for (const tensor of kernel.reads) lastUse.set(tensor, Math.max(at, lastUse.get(tensor) ?? -1));
  };
  for (const kernel of kernels) place(kernel);
  return merged.filter((kernel) => kernel !== undefined);
}

function partsOf(...kernels: readonly ScheduledKernel[]): ScheduledKernel[] {
  return kernels.flatMap((kernel) => kernel.parts ?? [kernel]);
}

function union(a: ReadonlySet<Tensor>, b: ReadonlySet<Tensor>): Set<Tensor> {
  return new Set([...a, ...b]);
}

/** Kernels of one shape that read the same large tensor, or nothing else, become one kernel with several stores. */
const sideBySide = ({ mostStores }: Fusion): Joining => ({
  keyOf(kernel) {
    const [{ shape }] = kernel.stores;
    if (kernel.kind === "map") return `map ${formatShape(shape)}`;
    if (kernel.kind !== "reduce") return undefined;
    return reductionKey(kernel.results[0]);
  },
  mayFeed: false,
  join(into, kernel) {
    if (into.stores.length + kernel.stores.length > mostStores || !sharesLarge(into, kernel)) return undefined;
    return {
      kind: into.kind,
      results: [...into.results, ...kernel.results],
      stores: [...into.stores, ...kernel.stores],
      reads: union(into.reads, kernel.reads),
      ...((into.parts ?? kernel.parts) && { parts: partsOf(into, kernel) }),
    };
  },
});

/** The same for maps whose shapes differ by axes of 1. */
const inOneSpace = (fusion: Fusion): Joining => ({
  ...sideBySide(fusion),
  keyOf: spaceKey,
});

/** Maps over the same elements, whose shapes may differ by axes of 1. */
function spaceKey({ kind, stores: [{ shape }] }: ScheduledKernel): string | undefined {
  return kind === "map" ? `map ${formatShape(shape.filter((n) => n !== 1))}` : undefined;
}

/** Attention and the sums of its exponentials, and its gradients, are by-products of each other. */
const attentionTogether: Joining = {
  keyOf({ kind, results: [result] }) {
    if (kind !== "attention" && kind !== "attention_gradient") return undefined;
    const { op, inputs } = result;
    const shared = kind === "attention" ? inputs.slice(0, 2) : inputs;
    return `${kind} ${(op as AttentionOp).scale} ${shared.map(({ id }) => id).join()}`;
  },
  mayFeed: false,
  join(into, kernel) {
    const [{ op }] = kernel.results;
    const isThere = into.results.some((other) => JSON.stringify(other.op) === JSON.stringify(op));
    if (isThere) return undefined;
    return {
      kind: into.kind,
      results: [...into.results, ...kernel.results],
      stores: [...into.stores, ...kernel.stores],
      reads: union(into.reads, kernel.reads),
    };
  },
};

function sharesLarge(a: ScheduledKernel, b: ScheduledKernel): boolean {
  const space = a.results[0]?.inputs[0] ?? a.stores[0];
  for (const tensor of b.reads) if (tensor.size >= space.size && a.reads.has(tensor)) return true;
  return b.reads.size > 0 && [...b.reads].every((tensor) => a.reads.has(tensor));
}

/** A map of what another map stores follows it element by element: a parameter's step and the averages that it goes by. */
const elementByElement = (
  { mostStores, mostJoined, mostOperations }: Fusion,
  updates: ReadonlySet<Tensor>,
): Joining => ({
  keyOf: spaceKey,
  mayFeed: true,
  join(into, kernel) {
    const stores = [...into.stores, ...kernel.stores];
    const reads = new Set([...into.reads, ...kernel.reads].filter((tensor) => !into.stores.includes(tensor)));
    // The next values of variables go where these are read.
    const buffers = reads.size + stores.filter((store) => !updates.has(store)).length;
    if (stores.length > mostStores || buffers > mostJoined) return undefined;
    const feeds = into.stores.some((store) => kernel.reads.has(store));
    if (!feeds || operationsOf(stores, (tensor) => reads.has(tensor)) > mostOperations) return undefined;
    // Next to what jumps about in memory, what could go through it in order would have to jump as well.
    const jumps = into.stores.some((store) => isTransposed(store, (tensor) => into.reads.has(tensor)));
    return !jumps && readsInPlace(kernel, into.stores)
      ? { kind: "map", results: [], stores, reads, parts: partsOf(into, kernel) }
      : undefined;
  },
});

/** Whether each element that a kernel stores needs of others only the same element. */
function readsInPlace({ stores, reads }: ScheduledKernel, others: readonly Tensor[]): boolean {
  const seen = [new Set<Tensor>(), new Set<Tensor>()];
  const visit = (node: Tensor, isMoved: boolean): boolean => {
    if (others.includes(node)) return !isMoved;
    const known = seen[isMoved ? 1 : 0];
    if (reads.has(node) || known.has(node)) return true;
    known.add(node);
    return node.inputs.every((input) => visit(input, isMoved || !(isElementwise(node.op) || isReframed(input, node))));
  };
  return stores.every((store) => visit(store, false));
}

/** A reduction stores the terms that a map before it would: what a layer's bias goes by is summed up as it is computed. */
const summed = ({ mostStores, mostJoined, fewestRows }: Fusion, updates: ReadonlySet<Tensor>): Joining => ({
  keyOf: termsKey(updates),
  mayFeed: true,
  join(into, kernel) {
    if (into.kind !== "map" || kernel.kind !== "reduce" || kernel.overTerms) return undefined;
    const stores = [...kernel.stores, ...into.stores];
    const reads = new Set([...into.reads, ...kernel.reads].filter((tensor) => !into.stores.includes(tensor)));
    if (stores.length > mostStores || reads.size + stores.length > mostJoined) return undefined;
    const [first] = kernel.results;
    const feeds = into.stores.some((store) => kernel.reads.has(store));
    if (!feeds || first.size < fewestRows || !sumsInPlace(kernel, into.stores)) return undefined;
    // A map of a batch has more parallel work than sums over it.
    if (first.op.kind !== "reduce" || first.op.axes.includes(first.inputs[0].shape.findIndex((n) => n > 1)))
      return undefined;
    return { kind: "reduce", results: kernel.results, stores, overTerms: into.stores, reads, parts: [into, kernel] };
  },
});

/** Whether a reduction needs of each element of others only for the term in its place. */
function sumsInPlace({ results, stores, reads }: ScheduledKernel, others: readonly Tensor[]): boolean {
  const seen = [new Set<Tensor>(), new Set<Tensor>()];
  const visit = (node: Tensor, isTerm: boolean): boolean => {
    if (others.includes(node)) return isTerm;
    const known = seen[isTerm ? 1 : 0];
    if (reads.has(node) || known.has(node)) return true;
    known.add(node);
    if (results.includes(node)) return visit(node.inputs[0], true);
    return node.inputs.every((input) => visit(input, isTerm && isElementwise(node.op)));
  };
  return stores.every((store) => visit(store, false));
}

/** What uses a reduction's results along with its terms follows it row by row: softmax and its like become one kernel. */
const stacked = ({ mostStores, longestRow, fewestRows }: Fusion, updates: ReadonlySet<Tensor>): Joining => ({
  keyOf: termsKey(updates),
  mayFeed: true,
  join(into, kernel) {
    const [first] = into.results;
    if (into.kind !== "reduce" || first.op.kind !== "reduce" || into.stores.length + kernel.stores.length > mostStores)
      return undefined;
    const feeds = into.stores.some((store) => kernel.reads.has(store));
    const rowLength = sizeOf(first.op.axes.map((axis) => first.inputs[0].shape[axis]));
    if (!feeds || rowLength > longestRow || first.size < fewestRows) return undefined;
    if (kernel.kind === "reduce" && reductionKey(kernel.results[0]) !== reductionKey(first)) return undefined;
    return {
      kind: "reduce",
      results: [...into.results, ...kernel.results],
      stores: [...into.stores, ...kernel.stores],
      overTerms: [...(into.overTerms ?? []), ...(kernel.kind === "map" ? kernel.stores : (kernel.overTerms ?? []))],
      reads: union(into.reads, kernel.reads),
      parts: partsOf(into, kernel),
    };
  },
});

/** Kernels that run over terms of one shape, unless what they store goes where it is read. */
const termsKey =
  (updates: ReadonlySet<Tensor>) =>
  (kernel: ScheduledKernel): string | undefined => {
    if (kernel.stores.some((store) => updates.has(store))) return undefined;
    const shape = termShapeOf(kernel);
    return shape ? `terms ${formatShape(shape)}` : undefined;
  };

/** The shape that a reduction or map runs over. */
function termShapeOf(kernel: ScheduledKernel): readonly number[] | undefined {
  if (kernel.kind === "reduce") return kernel.results[0].inputs[0].shape;
  const [{ shape }] = kernel.stores;
  return kernel.kind === "map" && kernel.stores.every((store) => sameShape(store.shape, shape)) ? shape : undefined;
}
