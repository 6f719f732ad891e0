import { silu } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import { Linear } from "../../nn/linear.ts";
import type { ConditionDeclarations } from "../conditions/declaration.ts";
import type { DiffusionModel } from "../model.ts";
import { UnetEncoder } from "./encoder.ts";
import { UnetLayers } from "./layers.ts";
import { completeUnetOptions } from "./options.ts";
import type { UnetOptions } from "./options.ts";

/** Those of a U-Net's encoder. */
export interface UnetClassifierOptions extends Omit<
  UnetOptions,
  "outDim" | "selfCondition" | "lowresCond" | "vectorDim" | "contextDim"
> {
  /** Classes to tell apart, at least 2. */
  readonly numClasses: number;
}

/**
 * Tells of noisy images what they show: the encoder of a U-Net, the mean over the pixels, and a linear layer, as the
 * classifiers of Dhariwal & Nichol (2021, 2105.05233) are with their pooling "adaptive". Its gradient guides sampling.
 *
 * @example
 * const classifier = new UnetClassifier({ dim: 16, channels: 1, dimMults: [1, 2, 4], numClasses: 10 });
 */
export class UnetClassifier extends UnetEncoder implements DiffusionModel {
  readonly outNorm: GroupNorm;
  readonly out: Linear;

  constructor(options: UnetClassifierOptions) {
    const complete = completeUnetOptions("UnetClassifier", options);
    const { numClasses, resnetBlockGroups } = complete;
    if (numClasses < 2) throw new Error(`UnetClassifier: numClasses must be at least 2, got ${numClasses}`);
    const layers = new UnetLayers(complete);
    super(complete, layers);
    this.outNorm = new GroupNorm(resnetBlockGroups, layers.deepest);
    this.out = new Linear(layers.deepest, numClasses, { random: layers.random });
    this.labelParameters();
  }

  get architecture(): string {
    return "unetClassifier";
  }

  get predicts(): "classes" {
    return "classes";
  }

  /** Classes are what it is trained for, and nothing that it is told. */
  get conditions(): ConditionDeclarations {
    return {};
  }

  /**
   * @param x noisy images [batch, height, width, channels]
   * @param time timesteps [batch], i32 or f32
   * @returns logits [batch, numClasses]
   */
  forward(x: Tensor, time: Tensor): Tensor {
    this.checkImages("UnetClassifier", x, time);
    const { deepest } = this.encode(x, this.timeMlp.forward(time));
    return this.out.forward(silu(this.outNorm.forward(deepest)).mean([1, 2]));
  }
}
