import type { Tensor } from "../../tensor/tensor.ts";
import { Embedding } from "../../nn/embedding.ts";
import type { Random } from "../../nn/init.ts";
import { classRows } from "../conditions/class-rows.ts";
import { classCondition } from "../conditions/classes.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import { vectorCondition } from "../conditions/vector.ts";
import { timeEmbeddingWidth } from "./options.ts";
import type { CompleteUNet2DModelOptions } from "./options.ts";
import { TimestepEmbedding } from "./timestep-embedding.ts";
import type { TimeProjection } from "./timestep-embedding.ts";

/** What images are told besides their time; a network that was made for it needs it of every image. */
export function unet2DConditions(options: CompleteUNet2DModelOptions): ConditionDeclarations {
  const { classEmbedType, numClasses, nullClass } = options;
  if (classEmbedType === null) return numClasses === 0 ? {} : classCondition(numClasses, nullClass);
  if (classEmbedType === "identity") {
    const { vector } = vectorCondition(timeEmbeddingWidth(options));
    return { vector: { ...vector, nullable: false } };
  }
  const embedded = "added to the time's embedding";
  return { classes: { shape: [], dtype: "time", embedded, nullable: false, source: "dataset" } };
}

/** The layer that embeds what images are told, if one does. */
export function classEmbedding(
  options: CompleteUNet2DModelOptions,
  projection: TimeProjection,
  random: Random,
): Embedding | TimestepEmbedding | undefined {
  const { classEmbedType, numClasses, nullClass } = options;
  const width = timeEmbeddingWidth(options);
  if (classEmbedType === "timestep") return new TimestepEmbedding(projection.width, width, random);
  return classEmbedType === null && numClasses > 0
    ? new Embedding(numClasses + Number(nullClass), width, { random })
    : undefined;
}

/**
 * What is added to the time embedding, [batch, width] or [1, width], if anything is.
 *
 * @throws one line, if images are not told what they have to be
 */
export function embeddedConditions(
  { classEmbedType, numClasses }: CompleteUNet2DModelOptions,
  layer: Embedding | TimestepEmbedding | undefined,
  projection: TimeProjection,
  conditions: Conditions,
): Tensor | undefined {
  const { classes, vector } = conditions;
  if (layer instanceof Embedding) return classRows("UNet2DModel", layer, numClasses, conditions);
  if (layer) return layer.forward(projection.forward(needed("classes", classes)));
  return classEmbedType === "identity" ? needed("vector", vector) : undefined;
}

function needed(name: string, value: Tensor | undefined): Tensor {
  if (value) return value;
  throw new Error(`UNet2DModel: every image needs its ${name}, for which the model was made`);
}
