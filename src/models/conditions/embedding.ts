import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { GELU } from "../../nn/activations.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import type { Module } from "../../nn/module/module.ts";
import { Sequential } from "../../nn/module/sequential.ts";
import type { Conditions } from "./declaration.ts";

/** A part of a network that turns conditions into what is added to the time's embedding. */
export interface ConditionEmbedding extends Module {
  /** @returns [batch, outDim], [1, outDim] where no image is told anything, or undefined where that adds nothing */
  forward(conditions: Conditions): Tensor;
}

/** The two layers that every such part ends with. */
export function embeddingMlp(dim: number, outDim: number, random: Random): Sequential {
  return new Sequential([new Linear(dim, outDim, { random }), new GELU(), new Linear(outDim, outDim, { random })]);
}

/** What is known, [batch, dim], but the learned row of `none` for images that are not told. */
export function keptOr(none: Variable, known: Tensor | undefined, keepMask: Tensor | undefined): Tensor {
  const row = valueOf(none).reshape([1, none.size]);
  if (!known || !keepMask) return known ?? row;
  return keepMask.reshape([keepMask.size, 1]).select(known, row);
}
