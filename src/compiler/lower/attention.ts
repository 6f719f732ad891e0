import type { AttentionOp } from "../../tensor/attention.ts";
import type { OpOf } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { BufferTable } from "./buffers.ts";
import { NeedsStorage, buildOver } from "../expression.ts";
import { builderFor } from "./lowering.ts";
import { attentionShape } from "../passes/composites.ts";
import type { AttentionOperands, Buffer, Kernel, View } from "../program.ts";
import type { ScheduledKernel } from "../passes/scheduled-kernel.ts";
import { fitsLayout, headsLayout, stepAlong } from "../view.ts";

/** Attention with its by-product, the logarithms of the sums of exponentials, or those alone. */
export function lowerAttention(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const result = kernel.results.find(({ op }) => op.kind === "attention");
  const logsumexp = kernel.results.find(({ op }) => op.kind === "attention_logsumexp");
  const operands = operandsOf(kernel, result ?? kernel.results[0], table);
  return {
    kind: "attention",
    ...operands,
    // The sums alone: the rest is computed from the keys, and nobody reads it.
    result: result ? table.add(result) : table.allocate(kernel.results[0].inputs[0]),
    logsumexp: logsumexp && table.add(logsumexp),
  };
}

export function lowerAttentionGradient(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const [first] = kernel.results;
  const [, , , cotangent, logsumexp, delta] = first.inputs;
  const read = {
    ...operandsOf(kernel, first, table),
    cotangent: viewOf(kernel, cotangent, table),
    logsumexp: table.require(logsumexp),
    delta: table.require(delta),
  };
  const by = (operand: OpOf<"attention_gradient">["of"]): Buffer | undefined => {
    const result = kernel.results.find(({ op }) => op.kind === "attention_gradient" && op.of === operand);
    return result && table.add(result);
  };
  return { kind: "attentionGradient", ...read, byQuery: by("query"), byKey: by("key"), byValue: by("value") };
}

function operandsOf(kernel: ScheduledKernel, { op, inputs }: Tensor, table: BufferTable): AttentionOperands {
  const [q, k, v = k] = inputs;
  const [query, key, value] = [q, k, v].map((operand) => viewOf(kernel, operand, table));
  return { shape: attentionShape(inputs), scale: (op as AttentionOp).scale, query, key, value };
}

/** Where [batch, tokens, heads, channels] lie in memory, with a step for each. */
function viewOf(kernel: ScheduledKernel, operand: Tensor, table: BufferTable): View {
  return buildOver(operand.shape, (space) => {
    const loaded = builderFor(space.axes, kernel, table).at(operand, space.coordinates);
    if (loaded.kind !== "load" || loaded.row) throw new NeedsStorage(operand);
    const { buffer, index } = loaded;
    if (!fitsLayout(operand, space, space.coordinates, index, headsLayout)) throw new NeedsStorage(operand);
    const coefficients = space.coordinates.map((coordinate) => stepAlong(space.axes, coordinate, index) ?? 0);
    return { buffer, index: { offset: index.offset, coefficients } };
  });
}
