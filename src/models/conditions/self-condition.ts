import type { ConditionDeclarations } from "./declaration.ts";

/** `selfCondition`, an earlier estimate of the clean images, shaped as they are (Chen et al. 2022, 2208.04202). */
export const selfCondition: ConditionDeclarations = {
  selfCondition: {
    shape: "image",
    dtype: "f32",
    embedded: "channels beside the images'",
    nullable: false,
    source: "estimate",
  },
};
