import type { AttentionShape, Buffer, ConvolutionShape } from "./program.ts";

/** What the passes know of the device that a program is for: a backend hands it over, and no pass asks which device it is. */
export interface Target {
  readonly splitting: Splitting;
  readonly fusion: Fusion;
  /** Whether attention is one kernel, or its gradients are, which keeps no similarities in memory but computes them again. */
  readonly fusesAttention: (shape: AttentionShape, pass: "forward" | "backward") => boolean;
  /** For a device that lets buffers lie one after another. */
  readonly joining: Joining | undefined;
}

/** Which kernels that do the same to other buffers are one. */
export interface Joining {
  /** Buffers that lie together start at multiples of so many elements. */
  readonly alignment: number;
  /** Elements that lie together, at most. */
  readonly mostTogether: number;
  /** What buffers have to have in common to lie together, beside what kernels know of them. */
  readonly sortOf?: (buffer: Buffer) => string;
  /** Elements of memory that a kernel works on, at most, so that it may wait for others. */
  readonly mostElements: number;
  /** The same where it depends on variables alone: all that is made of them could be made at the start, and is as large as they are. */
  readonly mostFixedElements: number;
}

/**
 * When long sums are taken in parts that run in parallel. How many there are is part of a program and not of the machine
 * that it runs on, so that results do not depend on the number of threads.
 */
export interface Splitting {
  /** Reductions of so many terms or more are taken in parts, if the results alone are too few to run in parallel. */
  readonly longReduction: number;
  /** The same for the inner axis of a product. */
  readonly longContraction: number;
  /** Fewer results than these are too few, for each term of a contraction's inner axis. */
  readonly fewResults: number;
  /** Parts of a contraction, and of a filter's gradient, at most. */
  readonly mostParts: number;
  /**
   * Whether sums over images are taken image by image where little is left of each, so that they can run where the
   * image's other work does: for a device that runs kernels slice by slice of a batch.
   */
  readonly byImage: boolean;
  /** Whether the gradient of a convolution's filters is not taken in parts, since its channels are enough to share out. */
  readonly takesWhole: (shape: ConvolutionShape) => boolean;
}

/** What is computed within one kernel. */
export interface Fusion {
  /** Stored tensors that one expression reads, at most; more take too many pointers at once. */
  readonly mostLeaves: number;
  /** Operations of one expression, at most; more make code that takes long to compile. */
  readonly mostOperations: number;
  /** Operations that a convolution may do on its input while it gathers it, which it does once for each tap of its filter. */
  readonly mostOperandOperations: number;
  /** Tensors that one kernel writes, at most. */
  readonly mostStores: number;
  /** Buffers that maps may use together, at most, to follow one another element by element. */
  readonly mostJoined: number;
  /** Whether gradients that several next values of variables go by are put in the order of these first. */
  readonly ordersGradients: boolean;
  /**
   * Operations, in additions, that take about as long as reading or writing the same number of elements once, for tensors
   * that do not fit into the caches.
   */
  readonly operationsPerPass: number;
  /** Operations, in additions, that a reduction does to its terms twice at most, rather than store what they give. */
  readonly mostRepeatedOperations: number;
  /** Terms of a result that several passes of a kernel may go over, at most: at the next they should still be in a cache. */
  readonly longestRow: number;
  /** Results below which one pass with more parallel work is better than several with less. */
  readonly fewestRows: number;
}
