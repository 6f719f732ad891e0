import { formatShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Which tensors are computed by one kernel, before index arithmetic. */
export interface ScheduledKernel {
  readonly kind:
    | "map"
    | "reduce"
    | "dot_general"
    | "convolution"
    | "convolution_filter_gradient"
    | "attention"
    | "attention_gradient";
  /** What the kernel reduces or contracts: one tensor, or several reductions of one shape, or results of attention. */
  readonly results: readonly Tensor[];
  /** What it writes: the results, or what follows from them elementwise. */
  readonly stores: readonly Tensor[];
  /** Stores of a reduction that have an element for every term rather than for every result. */
  readonly overTerms?: readonly Tensor[];
  /** Stored tensors that it reads. */
  readonly reads: ReadonlySet<Tensor>;
  /** The kernels that it was stacked from, should they have to run one by one. */
  readonly parts?: readonly ScheduledKernel[];
}

/** Tensors that exist in memory without being computed. */
export function isStoredLeaf(tensor: Tensor): boolean {
  return tensor.op.kind === "input" || tensor.op.kind === "variable" || tensor.op.kind === "literal";
}

/** The kind of kernel that forms around a tensor that is reduced or contracted. */
export function kernelKind({ op }: Tensor): ScheduledKernel["kind"] {
  return op.kind === "attention_logsumexp" ? "attention" : (op.kind as ScheduledKernel["kind"]);
}

/** Reductions with equal keys run over the same terms. */
export function reductionKey(result: Tensor): string {
  return result.op.kind === "reduce"
    ? `reduce ${formatShape(result.inputs[0].shape)} ${result.op.axes.join()}`
    : `result ${result.id}`;
}
