import { readsOf, writesOf } from "../accesses.ts";
import type { Buffer, Kernel, Program, Store } from "../program.ts";

type Part = Pick<Program, "buffers" | "kernels" | "outputs">;

/**
 * Leaves out stores of what nothing reads: what the stages of a kernel hand on to each other, such as the largest of a row
 * and the sum of its exponentials, is written only where another kernel goes by it.
 */
export function dropDeadStores({ buffers, kernels, outputs }: Part): Part {
  const read = new Set(outputs);
  const isWanted = (buffer: Buffer): boolean => buffer.source.kind !== "temporary" || read.has(buffer);
  const kept = kernels.toReversed().flatMap((kernel) => {
    // Of what it reads itself as well.
    for (const buffer of writesOf(kernel)) if (readsOf(kernel).has(buffer)) read.add(buffer);
    if (!writesOf(kernel).some(isWanted)) return [];
    const wanted = withStores(kernel, ({ buffer }) => isWanted(buffer));
    for (const buffer of readsOf(wanted)) read.add(buffer);
    return [wanted];
  });
  // Some kernels write what nobody asked them for.
  const written = new Set(kept.flatMap(writesOf));
  const isUsed = (buffer: Buffer): boolean => isWanted(buffer) || written.has(buffer);
  return { buffers: buffers.filter(isUsed), kernels: kept.toReversed(), outputs };
}

function withStores(kernel: Kernel, isWanted: (store: Store) => boolean): Kernel {
  switch (kernel.kind) {
    case "map":
    case "dot":
    case "convolution":
      return { ...kernel, stores: kernel.stores.filter(isWanted) };
    case "reduce": {
      const stages = kernel.stages.map((stage) => ({ ...stage, stores: stage.stores.filter(isWanted) }));
      return { ...kernel, stages, stores: kernel.stores.filter(isWanted) };
    }
    default:
      return kernel;
  }
}
