import type { Tensor } from "../tensor/tensor.ts";

/** What a network is told about the images besides their noisy pixels and the time; all of it may be left out. */
export interface Conditions {
  /** An estimate of the clean images, shaped as they are (Chen et al. 2022, 2208.04202). */
  readonly selfCondition?: Tensor | undefined;
  /** The images' classes, i32 [batch], from 0. */
  readonly classes?: Tensor | undefined;
  /** Any numbers that describe each image, f32 [batch, vectorDim]. */
  readonly vector?: Tensor | undefined;
  /** A sequence that describes each image, such as a text's tokens, f32 [batch, length, contextDim]. */
  readonly context?: Tensor | undefined;
  /** Where `context` has something to say, bool [batch, length]; everywhere without it. */
  readonly contextMask?: Tensor | undefined;
  /**
   * Which images are told their class, vector and context, bool [batch]; all without it. For the others learned nulls
   * stand in, as they do for what is left out: the way to classifier-free guidance (Ho & Salimans 2022, 2207.12598).
   */
  readonly keepMask?: Tensor | undefined;
}
