import { rootsOf, topologicalOrder, usersOf } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import { isElementwise, isMovement } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Fusion } from "../target.ts";
import { coneOf, isTransposed, operationsOf } from "./cone.ts";
import type { Cone } from "./cone.ts";
import { isStoredLeaf, kernelKind, reductionKey } from "./scheduled-kernel.ts";
import type { ScheduledKernel } from "./scheduled-kernel.ts";
import { Tails, isReframed } from "./tails.ts";
import { baseOf, basesOf, headsLayout, isGatherable, isStridedView, lhsLayout, rhsLayout } from "../view.ts";
import type { ViewLayout } from "../view.ts";

/**
 * What a store costs beside the passes that it is made of, in passes: the write itself, and half a pass for a kernel more
 * that starts, waits for those before it, and pushes other data out of the caches.
 */
const COST_OF_STORE = 1.5;
/**
 * What one decision stores changes in how many kernels the tensors below it are used, which are counted before a round. Of
 * the maps of the article's training step, 720 before they are joined, the second round finds ten; a third would find two more.
 */
const ROUNDS = 2;
/** Kernels that a tensor is used in are counted up to so many: whether it is stored is clear by then. */
const MOST_SINKS = 8;
/** A broadcast to so many times the elements reads each often enough for it to be stored. */
const LEAST_SPREAD = 4;
/** Stored elements that a convolution may read for each element of its input while it gathers that. */
const MOST_OPERAND_TRAFFIC = 2;

/**
 * Decides what is written to memory, one kernel for each tensor that is.
 *
 * @param forced tensors that must be stored whatever the cost
 */
export function schedule(graph: Graph, forced: ReadonlySet<Tensor>, fusion: Fusion): ScheduledKernel[] {
  return new Scheduler(graph, forced, fusion).run();
}

class Scheduler {
  readonly #order: Tensor[];
  readonly #users: Map<Tensor, Tensor[]>;
  readonly #roots: Set<Tensor>;
  readonly #updates: readonly Tensor[];
  readonly #forced: ReadonlySet<Tensor>;
  readonly #fusion: Fusion;
  readonly #tails: Tails;
  /** Tensors that are stored whatever fusion would prefer. */
  readonly #stored = new Set<Tensor>();
  readonly #reductionKeys = new Map<Tensor, string>();

  constructor(graph: Graph, forced: ReadonlySet<Tensor>, fusion: Fusion) {
    const roots = rootsOf(graph);
    this.#order = topologicalOrder(roots);
    this.#users = usersOf(this.#order);
    this.#roots = new Set(roots);
    this.#updates = graph.updates.map(({ value }) => value).filter(({ op }) => isElementwise(op));
    this.#forced = forced;
    this.#fusion = fusion;
    this.#tails = new Tails(
      this.#order,
      this.#users,
      (tensor) => this.#roots.has(tensor),
      (tensor) => forced.has(tensor),
    );
    for (const end of this.#tails.ends) this.#stored.add(end);
  }

  run(): ScheduledKernel[] {
    this.#storeRequired();
    if (this.#fusion.ordersGradients) this.#storeGradients();
    this.#storeShared();
    return this.#kernels();
  }

  readonly #isStored = (tensor: Tensor): boolean => this.#stored.has(tensor) || isStoredLeaf(tensor);

  #store(tensor: Tensor): void {
    if (!isStoredLeaf(tensor) && !this.#tails.isInside(tensor)) this.#stored.add(tensor);
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
        case "attention":
        case "attention_logsumexp":
        case "attention_gradient":
          for (const operand of node.inputs) {
            if (operand.rank === 4) this.#storeView(operand, headsLayout);
            else this.#store(operand);
          }
          break;
        default:
      }
    }
  }

  /**
   * What the next values of variables share, such as a gradient that moments and a parameter go by, is put in their order
   * first if it is in another: then they are computed in the order of memory.
   */
  #storeGradients(): void {
    const seen = new Set<Tensor>();
    const visit = (node: Tensor): void => {
      if (seen.has(node)) return;
      seen.add(node);
      const isShared = (this.#users.get(node) ?? []).length > 1;
      if (isShared && isTransposed(node, this.#isStored)) this.#store(node);
      else if (isElementwise(node.op)) this.#visitUnstored(node, visit);
    };
    for (const value of this.#updates) this.#visitUnstored(value, visit);
  }

  #visitUnstored({ inputs }: Tensor, visit: (input: Tensor) => void): void {
    for (const input of inputs) if (!this.#isStored(input)) visit(input);
  }

  /** An operand that kernels read in place where its layout allows it, else as a contiguous copy. */
  #storeView(operand: Tensor, layout: ViewLayout): void {
    this.#store(isStridedView(operand, this.#isStored, layout) ? baseOf(operand, this.#isStored) : operand);
  }

  /** A convolution gathers its input piece by piece, so movement and cheap arithmetic happen on the way. */
  #storeImage(input: Tensor): void {
    if (!isGatherable(input, this.#isStored)) {
      this.#store(input);
      return;
    }
    for (const base of basesOf(input)) {
      if (base.op.kind === "constant" || this.#isStored(base)) continue;
      const cone = this.#coneOf(base);
      if (this.#doesMore(base, cone, this.#fusion.mostOperandOperations) || cone.traffic > MOST_OPERAND_TRAFFIC)
        this.#store(base);
    }
  }

  /** Stores what would cost more to compute again in each of its users. */
  #storeShared(): void {
    const shared: Tensor[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const sinks = this.#sinks();
      const cones = new Map<Tensor, Cone>();
      for (const node of this.#order) {
        if (this.#isStored(node) || this.#tails.around(node)) continue;
        if (this.#splitsLoops(node)) this.#store(node.inputs[0]);
        if (!isElementwise(node.op)) continue;
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
      const fits = (this.#users.get(node) ?? []).every((user) => !this.#isTooLarge(user, this.#coneOf(user)));
      if (!fits) this.#stored.add(node);
    }
  }

  #isBetterStored(node: Tensor, cone: Cone, uses: number): boolean {
    if (this.#isTooLarge(node, cone)) return true;
    if (cone.operationsAlongPaths > 0 && cone.leaves.size + cone.indices > 0 && this.#isSpread(node)) return true;
    if (uses < 2) return false;
    // In passes over the tensor: computed in each use, or once, stored, and read in each use.
    const isDearer = (operations: number): boolean => {
      const compute = cone.traffic + operations / this.#fusion.operationsPerPass;
      return compute + COST_OF_STORE + uses < uses * compute;
    };
    return isDearer(cone.operationsAlongPaths) && isDearer(operationsOf([node], this.#isStored));
  }

  /**
   * Whether a tensor is what groups of channels share, seen by channel, and used where there is more for each: loops over
   * that would have to be split into short ones over the groups.
   */
  #splitsLoops(node: Tensor): boolean {
    const { op, inputs } = node;
    if (op.kind !== "reshape" || this.#isStored(inputs[0]) || inputs[0].op.kind !== "broadcast_in_dim") return false;
    return !isReframed(inputs[0], node) && (this.#isSpread(node) || this.#isInTail(node));
  }

  /** Whether the kernel of a reduction evaluates a tensor for each of its results. */
  #isInTail(node: Tensor): boolean {
    return (this.#users.get(node) ?? []).some((user) => {
      const result = this.#tails.around(user);
      if (result) return result.op.kind === "reduce" && result.inputs[0].size >= LEAST_SPREAD * node.size;
      return !this.#isStored(user) && this.#isInTail(user);
    });
  }

  /** Whether some user reads each element many times through a broadcast. */
  #isSpread(node: Tensor): boolean {
    const spreads = (user: Tensor): boolean =>
      isMovement(user.op) && !this.#isStored(user)
        ? (user.op.kind === "broadcast_in_dim" && user.size >= LEAST_SPREAD * node.size) ||
          (this.#users.get(user) ?? []).some(spreads)
        : false;
    return (this.#users.get(node) ?? []).some(spreads);
  }

  /** The kernels, roughly, that evaluate each tensor when it is not stored. */
  #sinks(): Map<Tensor, ReadonlySet<string>> {
    const sinks = new Map<Tensor, ReadonlySet<string>>();
    const isFused = (user: Tensor): boolean => !this.#tails.around(user) && !this.#isStored(user);
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
        else for (const key of sinks.get(user) ?? []) if (found.size < MOST_SINKS) found.add(key);
      }
      if (this.#roots.has(node)) found.add(`store ${node.id}`);
      sinks.set(node, found);
    }
    return sinks;
  }

  /** The kernel that evaluates a tensor which is stored or belongs to a result's tail. */
  #sinkOf(tensor: Tensor): string {
    const result = this.#tails.around(tensor);
    if (!result) return `store ${tensor.id}`;
    const known = this.#reductionKeys.get(result) ?? reductionKey(result);
    this.#reductionKeys.set(result, known);
    return known;
  }

  #coneOf(node: Tensor, memo?: Map<Tensor, Cone>): Cone {
    return coneOf(node, this.#isStored, memo);
  }

  #isTooLarge(node: Tensor, cone: Cone): boolean {
    return cone.leaves.size > this.#fusion.mostLeaves || this.#doesMore(node, cone, this.#fusion.mostOperations);
  }

  #doesMore(node: Tensor, { operationsAlongPaths }: Cone, operations: number): boolean {
    return operationsAlongPaths > operations && operationsOf([node], this.#isStored) > operations;
  }

  #kernels(): ScheduledKernel[] {
    const kernels: ScheduledKernel[] = [];
    for (const node of this.#order) {
      if (!this.#stored.has(node)) continue;
      const result = this.#tails.endingIn(node);
      const reads = this.#readsOf(node);
      const kind = result ? kernelKind(result) : "map";
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
