import type { Module } from "../../nn/module/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** A network that turns images into vectors in which like images lie near each other. */
export interface FeatureNetwork extends Module {
  /** For people: "classifier of fashion-mnist". */
  readonly name: string;
  /** Numbers per image. */
  readonly featureCount: number;
  /** Images at a time that use a device well. */
  readonly batchSize: number;
  /** @throws one line if it is not made for images [height, width, channels] */
  checkImageShape(shape: readonly number[]): void;
  /**
   * @param images f32 [batch, height, width, channels], bytes from 0 to 255
   * @returns [batch, featureCount]
   */
  features(images: Tensor): Tensor;
}
