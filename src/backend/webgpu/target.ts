import type { Target } from "../../compiler/target.ts";

/** What the compiler knows of a GPU. Contractions are split further by kernels/split.ts, which knows their workgroups. */
export const gpuTarget: Target = {
  splitting: { longReduction: 16384, longContraction: 4096, fewResults: 4096, mostParts: 8, byImage: true },
  fusion: {
    mostLeaves: 12,
    mostOperations: 400,
    mostOperandOperations: 8,
    mostStores: 6,
    operationsPerPass: 30,
    longestRow: 2048,
    fewestRows: 64,
  },
};
