import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, standardNormal } from "./init.ts";
import type { Initializer } from "./init.ts";
import { Module } from "./module/module.ts";
import { requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

export interface EmbeddingOptions {
  /** How `weight` starts; default standard normal. */
  readonly weightInit?: Initializer;
  readonly random?: Random;
}

/** Rows of a table by number: i32 [...I] below numEmbeddings to [...I, dim]. */
export class Embedding extends Module {
  readonly weight: Variable;

  constructor(numEmbeddings: number, dim: number, options: EmbeddingOptions = {}) {
    super();
    checkNames("Embedding", options, ["weightInit", "random"]);
    requireWhole("Embedding", { numEmbeddings, dim });
    const { weightInit = standardNormal, random = new Random() } = options;
    this.weight = weightInit("weight", [numEmbeddings, dim], random);
  }

  forward(indices: Tensor): Tensor {
    return valueOf(this.weight).gather(indices);
  }
}
