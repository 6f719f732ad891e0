import type { ConditionDeclarations } from "./declaration.ts";

/**
 * `lowresCondImg`, the images in less resolution, scaled up to the shape of these and in some noise, which
 * `lowresNoiseTimes`, [batch], tells as `time` tells that of the images (Ho et al. 2021, 2106.15282).
 */
export const lowresCondition: ConditionDeclarations = {
  lowresCondImg: {
    shape: "image",
    dtype: "f32",
    embedded: "channels beside the images'",
    nullable: false,
    source: "images",
    goesWith: "lowresNoiseTimes",
  },
  lowresNoiseTimes: {
    shape: [],
    dtype: "time",
    embedded: "added to the time's embedding",
    nullable: false,
    source: "images",
    goesWith: "lowresCondImg",
  },
};
