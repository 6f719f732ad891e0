import { Conv2d } from "../../nn/conv2d.ts";
import { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { requireWhole } from "../../nn/validate.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { FeatureNetwork } from "./feature-network.ts";

/** Output channels, kernel size and stride of each convolution. */
const LAYERS = [
  [32, 5, 2],
  [32, 3, 1],
  [64, 3, 2],
  [64, 3, 1],
  [64, 3, 2],
] as const;
const FEATURES = 64;
/** PyTorch's first weights have a sixth of the variance that keeps a ReLU's outputs as large as its inputs (He et al. 2015). */
const RELU_GAIN = Math.sqrt(6);

export interface ImageClassifierOptions {
  /** What it was trained on, for people. */
  readonly name: string;
  readonly height: number;
  readonly width: number;
  /** 1 gray, 3 RGB. */
  readonly channels: number;
  readonly classNames: readonly string[];
  readonly seed?: number;
}

/**
 * A small convolutional network for small images: five convolutions with ReLU, three of them with stride 2, then the
 * mean over all pixels, which are the features, and a linear layer to one logit per class.
 *
 * There is no normalization layer on purpose: features must notice images that are too pale or too dark.
 */
export class ImageClassifier extends Module implements FeatureNetwork {
  readonly convs: readonly Conv2d[];
  readonly head: Linear;
  readonly options: Required<Omit<ImageClassifierOptions, "seed">>;
  readonly featureCount = FEATURES;
  readonly batchSize = 256;

  constructor({ name, height, width, channels, classNames, seed }: ImageClassifierOptions) {
    super();
    requireWhole("ImageClassifier", { height, width, channels, classes: classNames.length });
    const random = new Random(seed);
    this.convs = LAYERS.map(([outChannels, kernelSize, stride], i) => {
      const inChannels = i === 0 ? channels : LAYERS[i - 1][0];
      return new Conv2d(inChannels, outChannels, kernelSize, { stride, padding: (kernelSize - 1) / 2, random });
    });
    this.head = new Linear(FEATURES, classNames.length, { random });
    this.options = { name, height, width, channels, classNames };
    this.labelParameters();
  }

  get name(): string {
    return `classifier of ${this.options.name}`;
  }

  checkImageShape(shape: readonly number[]): void {
    const { height, width, channels } = this.options;
    if (shape[0] === height && shape[1] === width && shape[2] === channels) return;
    throw new Error(
      `the features of the ${this.name} are for images [${height}, ${width}, ${channels}], got [${shape.join(", ")}]`,
    );
  }

  features(images: Tensor): Tensor {
    const unit = images.multiply(1 / 255);
    return this.convs.reduce((x, conv) => conv.forward(x).maximum(0).multiply(RELU_GAIN), unit).mean([1, 2]);
  }

  /** Multiplies the features by a positive number. The logits stay: a ReLU passes the factor on, the head takes it back. */
  async scaleFeatures(factor: number): Promise<void> {
    const { weight, bias } = this.convs[this.convs.length - 1];
    for (const variable of bias ? [weight, bias] : [weight]) await multiply(variable, factor);
    await multiply(this.head.weight, 1 / factor);
  }

  /** Logits [batch, classes]. */
  forward(images: Tensor): Tensor {
    return this.head.forward(this.features(images));
  }
}

async function multiply(variable: Variable, factor: number): Promise<void> {
  await variable.write((await variable.read()).map((value) => value * factor));
}
