import { isAttention } from "./composites.ts";
import { isElementwise } from "../../tensor/op.ts";
import { sameShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { reductionKey } from "./scheduled-kernel.ts";

/** To read so many terms once more takes longer than to start a kernel. */
const MANY_TERMS = 2 ** 18;

/**
 * The tails of reductions and contractions: elementwise work that alone uses a result is done before that is stored. The
 * inner nodes of a tail have one user, the next of the tail, so they are never stored.
 */
export class Tails {
  /** The end of a tail -> the result. */
  readonly #ends = new Map<Tensor, Tensor>();
  /** Nodes inside a tail, the result and the end included -> the result. */
  readonly #members = new Map<Tensor, Tensor>();

  /**
   * @param order operands before users
   * @param isKept whether a tensor has to be stored, so that a tail ends there
   */
  constructor(
    order: readonly Tensor[],
    users: ReadonlyMap<Tensor, readonly Tensor[]>,
    isRoot: (tensor: Tensor) => boolean,
    isKept: (tensor: Tensor) => boolean,
  ) {
    for (const result of order) {
      if (!isResult(result)) continue;
      let end = result;
      const tail = [result];
      let node = result;
      while (!isRoot(node) && !isKept(node)) {
        const [user, ...others] = users.get(node) ?? [];
        if (user === undefined || others.length > 0 || user.size !== result.size || this.#members.has(user)) break;
        const reshapes = user.op.kind === "reshape" && mayReshape(result, node, user);
        if (!reshapes && !isElementwise(user.op) && !movesRows(result, user)) break;
        if (!takesTail(result) || waitsForSibling(result, node, user)) break;
        node = user;
        tail.push(node);
        if (!reshapes || isRoot(node)) end = node;
      }
      for (const member of tail.slice(0, tail.indexOf(end) + 1)) this.#members.set(member, result);
      this.#ends.set(end, result);
    }
  }

  /** What is stored of them. */
  get ends(): Iterable<Tensor> {
    return this.#ends.keys();
  }

  /** The result whose tail ends in a tensor. */
  endingIn(tensor: Tensor): Tensor | undefined {
    return this.#ends.get(tensor);
  }

  /** The result whose tail a tensor is in, as a result, an inner node or the end. */
  around(tensor: Tensor): Tensor | undefined {
    return this.#members.get(tensor);
  }

  isInside(tensor: Tensor): boolean {
    return this.#members.has(tensor) && !this.#ends.has(tensor);
  }
}

/** Whether a tensor is reduced or contracted, so that a kernel forms around it. */
export function isResult({ op }: Tensor): boolean {
  const { kind } = op;
  return (
    kind === "reduce" ||
    kind === "dot_general" ||
    kind === "convolution" ||
    kind === "convolution_filter_gradient" ||
    isAttention(op)
  );
}

/**
 * Whether the next node of a reduction's tail also takes what another sum over the same terms comes to: the two are one kernel
 * then, such as both moments of a group, and the tail follows that.
 */
function waitsForSibling(result: Tensor, before: Tensor, after: Tensor): boolean {
  if (result.op.kind !== "reduce" || result.inputs[0].size < MANY_TERMS) return false;
  const key = reductionKey(result);
  const others = after.inputs.filter((input) => input !== before);
  const siblings = resultsBelow(others).filter((other) => other !== result && reductionKey(other) === key);
  if (siblings.length === 0) return false;
  const needed = resultsBelow(result.inputs);
  return siblings.some((sibling) => !needed.includes(sibling));
}

/** The results that tensors are computed of. */
function resultsBelow(tensors: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>();
  const visit = (node: Tensor): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (!isResult(node)) node.inputs.forEach(visit);
  };
  tensors.forEach(visit);
  return [...seen].filter(isResult);
}

function takesTail({ op }: Tensor): boolean {
  return op.kind !== "convolution_filter_gradient" && !isAttention(op);
}

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
export function isReframed(before: Tensor, after: Tensor): boolean {
  return sameShape(
    before.shape.filter((n) => n !== 1),
    after.shape.filter((n) => n !== 1),
  );
}
