import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, standardNormal } from "./init.ts";
import { Module } from "./module.ts";
import { requireWhole } from "./validate.ts";

/** Rows of a table by number: i32 [...I] below numEmbeddings to [...I, dim]. `weight` starts standard normal. */
export class Embedding extends Module {
  readonly weight: Variable;

  constructor(numEmbeddings: number, dim: number, { random = new Random() }: { readonly random?: Random } = {}) {
    super();
    requireWhole("Embedding", { numEmbeddings, dim });
    this.weight = standardNormal("weight", [numEmbeddings, dim], random);
  }

  forward(indices: Tensor): Tensor {
    return valueOf(this.weight).gather(indices);
  }
}
