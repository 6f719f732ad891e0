import { full } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../../nn/module/module.ts";
import type { Sequential } from "../../nn/module/sequential.ts";
import { ClassEmbedding, classCondition } from "../conditions/classes.ts";
import { contextCondition } from "../conditions/context.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import type { ConditionEmbedding } from "../conditions/embedding.ts";
import { lowresCondition } from "../conditions/lowres.ts";
import { selfCondition } from "../conditions/self-condition.ts";
import { VectorEmbedding, vectorCondition } from "../conditions/vector.ts";
import type { UnetLayers } from "./layers.ts";
import type { CompleteUnetOptions } from "./options.ts";

/** A condition that a U-Net can be made for. */
interface UnetCondition {
  readonly isWanted: (options: CompleteUnetOptions) => boolean;
  readonly declare: (options: CompleteUnetOptions) => ConditionDeclarations;
  /** What adds it to the time's embedding. */
  readonly embedding?: (options: CompleteUnetOptions, layers: UnetLayers) => ConditionEmbedding;
  /** The images that go in beside the noisy ones, and on which side. */
  readonly channels?: { readonly name: string; readonly side: "before" | "after" };
}

/** A row for each; their order is that of the parameters. Contexts are looked at by the U-Net's own cross-attention. */
const rows: readonly UnetCondition[] = [
  {
    isWanted: ({ numClasses }) => numClasses > 0,
    declare: ({ numClasses }) => classCondition(numClasses),
    embedding: ({ numClasses, dim }, { timeDim, random }) => new ClassEmbedding(numClasses, dim, timeDim, random),
  },
  {
    isWanted: ({ vectorDim }) => vectorDim > 0,
    declare: ({ vectorDim }) => vectorCondition(vectorDim),
    embedding: ({ vectorDim }, { timeDim, random }) => new VectorEmbedding(vectorDim, timeDim, random),
  },
  { isWanted: ({ contextDim }) => contextDim > 0, declare: ({ contextDim }) => contextCondition(contextDim) },
  {
    isWanted: (options) => options.selfCondition,
    declare: () => selfCondition,
    channels: { name: "selfCondition", side: "before" },
  },
  {
    isWanted: ({ lowresCond }) => lowresCond,
    declare: () => lowresCondition,
    embedding: (_, layers) => new LowresTimeEmbedding(layers),
    channels: { name: "lowresCondImg", side: "after" },
  },
];

const rowsOf = (options: CompleteUnetOptions): readonly UnetCondition[] =>
  rows.filter(({ isWanted }) => isWanted(options));

/** What a U-Net of these options may be told. */
export function unetConditions(options: CompleteUnetOptions): ConditionDeclarations {
  return Object.assign({}, ...rowsOf(options).map(({ declare }) => declare(options))) as ConditionDeclarations;
}

/** The conditions that go in as images beside the noisy ones. */
export function channelConditions(options: CompleteUnetOptions): NonNullable<UnetCondition["channels"]>[] {
  return rowsOf(options).flatMap(({ channels }) => channels ?? []);
}

/** What is added to the time's embedding, in the order of the rows. */
export function conditionEmbeddings(options: CompleteUnetOptions, layers: UnetLayers): ConditionEmbedding[] {
  return rowsOf(options).flatMap(({ embedding }) => embedding?.(options, layers) ?? []);
}

/** What the noise of images in less resolution adds to the time's embedding. */
class LowresTimeEmbedding extends Module {
  readonly lowresTimeMlp: Sequential;
  readonly #timeDim: number;

  constructor(layers: UnetLayers) {
    super();
    this.lowresTimeMlp = layers.timeMlp();
    this.#timeDim = layers.timeDim;
  }

  forward({ lowresNoiseTimes }: Conditions): Tensor {
    return lowresNoiseTimes ? this.lowresTimeMlp.forward(lowresNoiseTimes) : full([1, this.#timeDim], 0);
  }
}
