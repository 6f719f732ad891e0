import { concatenate, full, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { GELU } from "../nn/activations.ts";
import type { Conditions } from "./conditions.ts";
import { Embedding } from "../nn/embedding.ts";
import { standardNormal } from "../nn/init.ts";
import type { Random } from "../nn/init.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import { Sequential } from "../nn/sequential.ts";

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
    this.classesMlp = mlp(dim, outDim, random);
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

/** What vectors of `vectorDim` numbers add to the time embedding: their MLP, or that of a learned vector for none. */
export class VectorEmbedding extends Module {
  readonly nullVector: Variable;
  readonly vectorMlp: Sequential;

  constructor(vectorDim: number, outDim: number, random: Random) {
    super();
    this.nullVector = standardNormal("nullVector", [vectorDim], random);
    this.vectorMlp = mlp(vectorDim, outDim, random);
  }

  /** @returns [batch, outDim], or [1, outDim] where no image is told its vector */
  forward({ vector, keepMask }: Conditions): Tensor {
    return this.vectorMlp.forward(keptOr(this.nullVector, vector, keepMask));
  }
}

/** A sequence that cross-attention looks at. */
export interface ContextTokens {
  /** [batch, length, contextDim] */
  readonly tokens: Tensor;
  /** Where it looks, bool [batch, length]; everywhere without it. */
  readonly mask?: Tensor | undefined;
}

/** The context behind a learned token, which is all that images see which are told none. */
export function contextTokens(nullContext: Variable, conditions: Conditions, batch: number): ContextTokens {
  const { context, contextMask, keepMask } = conditions;
  const none = valueOf(nullContext).broadcastTo([batch, 1, nullContext.size]);
  if (!context) return { tokens: none };
  const tokens = concatenate([none, context], 1);
  const kept = keepMask?.reshape([batch, 1]).broadcastTo([batch, context.shape[1]]);
  const seen = kept && contextMask ? kept.and(contextMask) : (kept ?? contextMask);
  return { tokens, mask: seen && concatenate([full([batch, 1], 1, "bool"), seen], 1) };
}

function mlp(dim: number, outDim: number, random: Random): Sequential {
  return new Sequential([new Linear(dim, outDim, { random }), new GELU(), new Linear(outDim, outDim, { random })]);
}

function keptOr(none: Variable, known: Tensor | undefined, keepMask: Tensor | undefined): Tensor {
  const row = valueOf(none).reshape([1, none.size]);
  if (!known || !keepMask) return known ?? row;
  return keepMask.reshape([keepMask.size, 1]).select(known, row);
}
