import type { ConditionDeclarations } from "../conditions.ts";
import type { CompleteUnetOptions } from "./options.ts";

/** What a U-Net of these options may be told. */
export function unetConditions(options: CompleteUnetOptions): ConditionDeclarations {
  const { numClasses, vectorDim, contextDim, selfCondition, lowresCond } = options;
  return {
    ...(numClasses > 0 && {
      classes: { shape: [], dtype: "i32", numClasses, nullable: true, source: "dataset" },
    }),
    ...(vectorDim > 0 && { vector: { shape: [vectorDim], dtype: "f32", nullable: true, source: "dataset" } }),
    ...(contextDim > 0 && {
      context: { shape: [null, contextDim], dtype: "f32", nullable: true, source: "dataset" },
      contextMask: { shape: [null], dtype: "bool", nullable: true, source: "dataset", goesWith: "context" },
    }),
    ...(selfCondition && { selfCondition: { shape: "image", dtype: "f32", nullable: false, source: "estimate" } }),
    ...(lowresCond && {
      lowresCondImg: { shape: "image", dtype: "f32", nullable: false, source: "images", goesWith: "lowresNoiseTimes" },
      lowresNoiseTimes: { shape: [], dtype: "time", nullable: false, source: "images", goesWith: "lowresCondImg" },
    }),
  };
}
