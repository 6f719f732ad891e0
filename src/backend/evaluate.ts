import { topologicalOrder } from "../tensor/graph.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { evaluateBy } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Backend } from "./backend.ts";
import { compile } from "./compile.ts";
import { defaultBackend } from "./default.ts";

/**
 * Computes a tensor that needs no inputs, on the default backend unless another is given: to look at a value. What runs
 * often is compiled once.
 *
 * @throws Error of one line if the tensor has inputs
 */
export async function evaluate(tensor: Tensor, backend?: Backend): Promise<NdArray> {
  if (topologicalOrder([tensor]).some(({ op }) => op.kind === "input")) {
    throw new Error("evaluate: the tensor has inputs, whose values it does not know; compile() takes them");
  }
  const run = compile(backend ?? (await defaultBackend()), () => ({ outputs: { value: tensor } }));
  try {
    return (await run()).value;
  } finally {
    run.dispose();
  }
}

// Whoever loads this file has a device.
evaluateBy(evaluate);
