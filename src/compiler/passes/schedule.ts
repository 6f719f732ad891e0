import { rootsOf, topologicalOrder, usersOf } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import { isElementwise, isMovement } from "../../tensor/op.ts";
import { sameShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { COST_PER_PASS, costOf } from "./cost.ts";
import { isStoredLeaf, reductionKey } from "./scheduled-kernel.ts";
import type { ScheduledKernel } from "./scheduled-kernel.ts";
import { baseOf, basesOf, isGatherable, isStridedView, lhsLayout, rhsLayout } from "../view.ts";
import type { ViewLayout } from "../view.ts";

/** Stored tensors and operations of one expression, beyond which kernels would grow too large. */
const MOST_LEAVES = 12;
const MOST_OPERATIONS = 400;
/** Operations that a convolution may do on its input while it gathers it. */
const CHEAP_OPERAND = 8;

/** Products find their rows and columns in any shape, reductions their results if only axes of 1 come or go. */
function mayReshape(result: Tensor, before: Tensor, after: Tensor): boolean {
  return result.op.kind === "dot_general" || (result.op.kind === "reduce" && isReframed(before, after));
}

/** Whether a tensor is a product with its rows in another order, but whole. */
function movesRows(result: Tensor, { op, shape }: Tensor): boolean {
  if (result.op.kind !== "dot_general" || op.kind !== "transpose") return false;
  const last = shape.length - 1;
  return op.permutation[last] === last && shape[last] === result.shape[2];
}

/** Whether a reshape only adds or drops axes of 1. */
function isReframed(before: Tensor, after: Tensor): boolean {
  return sameShape(
    before.shape.filter((n) => n !== 1),
    after.shape.filter((n) => n !== 1),
  );
}

/** Whether a tensor is reduced or contracted, so that a kernel forms around it. */
function isResult({ op: { kind } }: Tensor): boolean {
  return (
    kind === "reduce" || kind === "dot_general" || kind === "convolution" || kind === "convolution_filter_gradient"
  );
}

/**
 * Decides what is written to memory, one kernel for each tensor that is.
 *
 * @param forced tensors that must be stored whatever the cost
 */
export function schedule(graph: Graph, forced: ReadonlySet<Tensor>): ScheduledKernel[] {
  return new Scheduler(graph, forced).run();
}

class Scheduler {
  readonly #order: Tensor[];
  readonly #users: Map<Tensor, Tensor[]>;
  readonly #roots: Set<Tensor>;
  readonly #forced: ReadonlySet<Tensor>;
  /** Tensors that are stored whatever fusion would prefer. */
  readonly #stored = new Set<Tensor>();
  /** The end of a result's elementwise tail -> the result. */
  readonly #tails = new Map<Tensor, Tensor>();
  /** Nodes inside a tail, the result and the end included -> the result. */
  readonly #inTail = new Map<Tensor, Tensor>();
  readonly #reductionKeys = new Map<Tensor, string>();

  constructor(graph: Graph, forced: ReadonlySet<Tensor>) {
    const roots = rootsOf(graph);
    this.#order = topologicalOrder(roots);
    this.#users = usersOf(this.#order);
    this.#roots = new Set(roots);
    this.#forced = forced;
  }

  run(): ScheduledKernel[] {
    this.#attachTails();
    this.#storeRequired();
    this.#storeShared();
    return this.#kernels();
  }

  /** Elementwise work that alone uses a reduction or contraction is done before its result is stored. */
  #attachTails(): void {
    for (const result of this.#order) {
      if (!isResult(result)) continue;
      let end = result;
      const tail = [result];
      let node = result;
      while (!this.#roots.has(node) && !this.#forced.has(node)) {
        const users = this.#users.get(node) ?? [];
        const [user] = users;
        if (users.length !== 1 || user.size !== result.size || this.#inTail.has(user)) break;
        const reshapes = user.op.kind === "reshape" && mayReshape(result, node, user);
        if (!reshapes && !isElementwise(user.op) && !movesRows(result, user)) break;
        if (result.op.kind === "convolution_filter_gradient") break;
        node = user;
        tail.push(node);
        if (!reshapes || this.#roots.has(node)) end = node;
      }
      for (const member of tail.slice(0, tail.indexOf(end) + 1)) this.#inTail.set(member, result);
      this.#tails.set(end, result);
      this.#stored.add(end);
    }
  }

  #isStored(tensor: Tensor): boolean {
    return this.#stored.has(tensor) || isStoredLeaf(tensor);
  }

  #store(tensor: Tensor): void {
    if (!isStoredLeaf(tensor) && !this.#isInsideTail(tensor)) this.#stored.add(tensor);
  }

  /** A tail's inner nodes have one user, the next of the tail: they are never stored. */
  #isInsideTail(tensor: Tensor): boolean {
    return this.#inTail.has(tensor) && !this.#tails.has(tensor);
  }

  #storeRequired(): void {
    for (const root of this.#roots) this.#store(root);
    for (const tensor of this.#forced) this.#store(tensor);
    for (const node of this.#order) {
      const [a, b] = node.inputs;
      switch (node.op.kind) {
        case "gather":
          this.#store(a);
          break;
        case "dot_general":
          this.#storeView(a, lhsLayout);
          this.#storeView(b, rhsLayout);
          break;
        case "convolution":
        case "convolution_filter_gradient":
          this.#storeImage(a);
          this.#store(b);
          break;
        default:
      }
    }
  }

  /** An operand that kernels read in place where its layout allows it, else as a contiguous copy. */
  #storeView(operand: Tensor, layout: ViewLayout): void {
    const isStored = (tensor: Tensor): boolean => this.#isStored(tensor);
    this.#store(isStridedView(operand, isStored, layout) ? baseOf(operand, isStored) : operand);
  }

  /** A convolution gathers its input piece by piece, so movement and cheap arithmetic happen on the way. */
  #storeImage(input: Tensor): void {
    if (!isGatherable(input, (tensor) => this.#isStored(tensor))) {
      this.#store(input);
      return;
    }
    for (const base of basesOf(input)) {
      if (base.op.kind === "constant" || this.#isStored(base)) continue;
      const cone = this.#coneOf(base);
      if (cone.operations > CHEAP_OPERAND || cone.traffic > 2) this.#store(base);
    }
  }

  /** Stores what would cost more to compute again in each of its users. */
  #storeShared(): void {
    const shared: Tensor[] = [];
    for (let round = 0; round < 2; round++) {
      const sinks = this.#sinks();
      const cones = new Map<Tensor, Cone>();
      for (const node of this.#order) {
        if (this.#isStored(node) || !isElementwise(node.op) || this.#inTail.has(node)) continue;
        const cone = this.#coneOf(node, cones);
        const uses = sinks.get(node)?.size ?? 1;
        if (!this.#isBetterStored(node, cone, uses)) continue;
        this.#store(node);
        if (uses > 1) shared.push(node);
      }
    }
    this.#fuseLone(shared);
  }

  /** What was stored for several kernels, of which only one is left since what they computed of it is stored too. */
  #fuseLone(shared: readonly Tensor[]): void {
    const sinks = this.#sinks();
    for (const node of shared) {
      if (sinks.get(node)?.size !== 1 || this.#isSpread(node)) continue;
      this.#stored.delete(node);
      const fits = (this.#users.get(node) ?? []).every((user) => !isTooLarge(this.#coneOf(user)));
      if (!fits) this.#stored.add(node);
    }
  }

  #isBetterStored(node: Tensor, cone: Cone, uses: number): boolean {
    if (isTooLarge(cone)) return true;
    if (cone.operations > 0 && cone.leaves.size + cone.indices > 0 && this.#isSpread(node)) return true;
    if (uses < 2) return false;
    const compute = cone.traffic + cone.operations / COST_PER_PASS;
    const inline = uses * compute;
    const stored = compute + 1.5 + uses;
    return stored < inline;
  }

  /** Whether some user reads each element many times through a broadcast. */
  #isSpread(node: Tensor): boolean {
    const spreads = (user: Tensor): boolean =>
      isMovement(user.op) && !this.#isStored(user)
        ? (user.op.kind === "broadcast_in_dim" && user.size >= 4 * node.size) ||
          (this.#users.get(user) ?? []).some(spreads)
        : false;
    return (this.#users.get(node) ?? []).some(spreads);
  }

  /** The kernels, roughly, that evaluate each tensor when it is not stored. */
  #sinks(): Map<Tensor, ReadonlySet<string>> {
    const sinks = new Map<Tensor, ReadonlySet<string>>();
    const isFused = (user: Tensor): boolean => !this.#inTail.has(user) && !this.#isStored(user);
    for (const node of this.#order.toReversed()) {
      const users = this.#users.get(node) ?? [];
      const only = users.length === 1 && !this.#roots.has(node) && isFused(users[0]) && sinks.get(users[0]);
      if (only) {
        sinks.set(node, only);
        continue;
      }
      const found = new Set<string>();
      for (const user of users) {
        if (!isFused(user)) found.add(this.#sinkOf(user));
        else for (const key of sinks.get(user) ?? []) if (found.size < 8) found.add(key);
      }
      if (this.#roots.has(node)) found.add(`store ${node.id}`);
      sinks.set(node, found);
    }
    return sinks;
  }

  /** The kernel that evaluates a tensor which is stored or belongs to a result's tail. */
  #sinkOf(tensor: Tensor): string {
    const result = this.#inTail.get(tensor);
    if (!result) return `store ${tensor.id}`;
    const known = this.#reductionKeys.get(result) ?? reductionKey(result);
    this.#reductionKeys.set(result, known);
    return known;
  }

  /** What has to be read and computed to evaluate a tensor from stored ones. */
  #coneOf(node: Tensor, memo = new Map<Tensor, Cone>()): Cone {
    const known = memo.get(node);
    if (known) return known;
    let leaves: ReadonlySet<Tensor> = new Set();
    let operations = isElementwise(node.op) ? costOf(node.op) : 0;
    let indices = node.op.kind === "iota" ? 1 : 0;
    const inputs = isStoredLeaf(node) ? [] : [...new Set(node.inputs)];
    for (const input of inputs) {
      if (this.#isStored(input) || isResult(input)) {
        leaves = new Set(leaves).add(input);
        continue;
      }
      const cone = this.#coneOf(input, memo);
      operations = Math.min(1e6, operations + cone.operations);
      indices += cone.indices;
      leaves = leaves.size === 0 ? cone.leaves : new Set([...leaves, ...cone.leaves]);
    }
    let traffic = 0;
    for (const leaf of leaves) traffic += Math.min(1, leaf.size / Math.max(1, node.size));
    const cone = { leaves, operations, indices, traffic };
    memo.set(node, cone);
    return cone;
  }

  #kernels(): ScheduledKernel[] {
    const kernels: ScheduledKernel[] = [];
    for (const node of this.#order) {
      if (!this.#stored.has(node)) continue;
      const result = this.#tails.get(node);
      const reads = this.#readsOf(node);
      const kind = result ? (result.op.kind as ScheduledKernel["kind"]) : "map";
      kernels.push({ kind, results: result ? [result] : [], stores: [node], reads });
    }
    return kernels;
  }

  #readsOf(store: Tensor): Set<Tensor> {
    const reads = new Set<Tensor>();
    const visited = new Set<Tensor>();
    const visit = (node: Tensor): void => {
      if (visited.has(node)) return;
      visited.add(node);
      for (const input of node.inputs) {
        if (this.#isStored(input)) reads.add(input);
        else visit(input);
      }
    };
    visit(store);
    return reads;
  }
}

function isTooLarge({ leaves, operations }: Cone): boolean {
  return leaves.size > MOST_LEAVES || operations > MOST_OPERATIONS;
}

interface Cone {
  readonly leaves: ReadonlySet<Tensor>;
  readonly operations: number;
  /** Iota nodes: a cone without leaves may still vary. */
  readonly indices: number;
  /** Stored elements read per element computed. */
  readonly traffic: number;
}
