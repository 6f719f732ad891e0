import type { Target } from "../../compiler/target.ts";

/**
 * What the compiler knows of a device, found on the cores of a processor with SIMD of 128 and 256 bits. No GPU has been
 * measured yet, so its backend takes these numbers too, and splits contractions further where it knows its workgroups.
 */
export const measuredTarget: Target = {
  splitting: {
    longReduction: 16384,
    longContraction: 4096,
    fewResults: 4096,
    mostParts: 8,
    byImage: true,
    takesWhole: () => false,
  },
  fusion: {
    mostLeaves: 12,
    mostOperations: 400,
    mostOperandOperations: 8,
    mostStores: 6,
    // As many as every GPU binds.
    mostJoined: 8,
    ordersGradients: false,
    operationsPerPass: 30,
    mostRepeatedOperations: 9,
    longestRow: 2048,
    fewestRows: 64,
  },
  fusesAttention: () => false,
  joining: undefined,
};
