import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { Embedding } from "../../nn/embedding.ts";
import { standardNormal } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import type { Sequential } from "../../nn/module/sequential.ts";
import type { ConditionDeclarations, Conditions } from "./declaration.ts";
import { embeddingMlp, keptOr } from "./embedding.ts";

/**
 * `classes`, i32 [batch] from 0; or, f32 [batch, numClasses], how much of each class goes in.
 *
 * @param nullable whether images may be told none
 */
export function classCondition(numClasses: number, nullable = true): ConditionDeclarations {
  const embedded = "added to the time's embedding";
  return { classes: { shape: [], dtype: "i32", numClasses, embedded, nullable, source: "dataset" } };
}

/**
 * What the images' classes add to the time embedding: an MLP of a learned row for each class, or of one that stands for
 * none. The parts are those of denoising-diffusion-pytorch's classifier_free_guidance.
 */
export class ClassEmbedding extends Module {
  readonly classesEmb: Embedding;
  readonly nullClassesEmb: Variable;
  readonly classesMlp: Sequential;

  constructor(numClasses: number, dim: number, outDim: number, random: Random) {
    super();
    this.classesEmb = new Embedding(numClasses, dim, { random });
    this.nullClassesEmb = standardNormal("nullClassesEmb", [dim], random);
    this.classesMlp = embeddingMlp(dim, outDim, random);
  }

  /** @returns [batch, outDim], or [1, outDim] where no image is told its class */
  forward({ classes, keepMask }: Conditions): Tensor {
    const known = classes && this.#embed(classes);
    return this.classesMlp.forward(keptOr(this.nullClassesEmb, known, keepMask));
  }

  #embed(classes: Tensor): Tensor {
    return classes.dtype === "f32" ? classes.matmul(valueOf(this.classesEmb.weight)) : this.classesEmb.forward(classes);
  }
}
