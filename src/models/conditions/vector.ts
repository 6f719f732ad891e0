import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { standardNormal } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import type { Sequential } from "../../nn/module/sequential.ts";
import type { ConditionDeclarations, Conditions } from "./declaration.ts";
import { embeddingMlp, keptOr } from "./embedding.ts";

/** `vector`, any numbers that describe each image, f32 [batch, vectorDim]. */
export function vectorCondition(vectorDim: number): ConditionDeclarations {
  const embedded = "added to the time's embedding";
  return { vector: { shape: [vectorDim], dtype: "f32", embedded, nullable: true, source: "dataset" } };
}

/** What vectors of `vectorDim` numbers add to the time embedding: their MLP, or that of a learned vector for none. */
export class VectorEmbedding extends Module {
  readonly nullVector: Variable;
  readonly vectorMlp: Sequential;

  constructor(vectorDim: number, outDim: number, random: Random) {
    super();
    this.nullVector = standardNormal("nullVector", [vectorDim], random);
    this.vectorMlp = embeddingMlp(vectorDim, outDim, random);
  }

  /** @returns [batch, outDim], or [1, outDim] where no image is told its vector */
  forward({ vector, keepMask }: Conditions): Tensor {
    return this.vectorMlp.forward(keptOr(this.nullVector, vector, keepMask));
  }
}
