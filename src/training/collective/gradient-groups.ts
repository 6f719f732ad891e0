import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";

/** Bytes of a group. Small ones are on their way early, and the last one is not waited for for long; each costs a message. */
const LEAST_BYTES = 2 ** 20;
/** PyTorch's DistributedDataParallel takes as much. */
const MOST_BYTES = 25 * 2 ** 20;
/** Groups of networks in between. */
const GROUPS = 16;

/**
 * Gradients that are added up together, in the order in which a backward pass computes them: while it goes on, those of
 * the layers behind are on their way. All processes find the same groups, however many images they have.
 *
 * @param gradients of the variables, as `grad` made them
 */
export function gradientGroups(variables: readonly Variable[], gradients: readonly Tensor[]): Variable[][] {
  const total = variables.reduce((sum, { size }) => sum + 4 * size, 0);
  const enough = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, total / GROUPS));
  const order = [...variables.keys()].toSorted((a, b) => gradients[a].id - gradients[b].id);
  const groups: Variable[][] = [];
  let bytes = enough;
  for (const i of order) {
    if (bytes >= enough) {
      groups.push([]);
      bytes = 0;
    }
    groups[groups.length - 1].push(variables[i]);
    bytes += 4 * variables[i].size;
  }
  return groups;
}
