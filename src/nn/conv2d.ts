import { conv2d } from "../tensor/functions/functions.ts";
import { variance } from "../tensor/functions/norm.ts";
import type { Conv2dPadding } from "../tensor/functions/functions.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, fanInUniform } from "./init.ts";
import type { Initializer } from "./init.ts";
import { Module } from "./module/module.ts";
import { requireImages, requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

const conv2dOptionNames = ["stride", "padding", "bias", "weightInit", "biasInit", "random"] as const;

export interface Conv2dLayerOptions {
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on every side, in pixels, or on each by itself; default 0. */
  readonly padding?: Conv2dPadding;
  /** Default true. */
  readonly bias?: boolean;
  /** How `weight` starts; default uniform in ±1 / sqrt(inChannels kernelSize^2). */
  readonly weightInit?: Initializer;
  /** How `bias` starts; default as `weight`. */
  readonly biasInit?: Initializer;
  readonly random?: Random;
}

/**
 * Convolution of images [batch, height, width, inChannels] with square filters, to
 * [batch, out height, out width, outChannels] where out = floor((in + 2 padding - kernelSize) / stride) + 1.
 *
 * `weight` is [outChannels, inChannels, kernelSize, kernelSize], `bias` [outChannels].
 */
export class Conv2d extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;
  readonly stride: number;
  readonly padding: Conv2dPadding;

  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv2dLayerOptions = {}) {
    super();
    checkNames("Conv2d", options, conv2dOptionNames);
    const { stride = 1, padding = 0, bias = true, random = new Random() } = options;
    requireWhole("Conv2d", { inChannels, outChannels, kernelSize, stride });
    for (const side of [padding].flat(2)) requireWhole("Conv2d", { padding: side }, 0);
    const usual = fanInUniform(inChannels * kernelSize * kernelSize);
    const { weightInit = usual, biasInit = usual } = options;
    this.weight = weightInit("weight", [outChannels, inChannels, kernelSize, kernelSize], random);
    this.bias = bias ? biasInit("bias", [outChannels], random) : undefined;
    this.stride = stride;
    this.padding = padding;
  }

  forward(x: Tensor): Tensor {
    requireImages("Conv2d", x, this.weight.shape[1]);
    const y = conv2d(x, this.filters().transpose([2, 3, 1, 0]), { stride: this.stride, padding: this.padding });
    return this.bias ? y.add(valueOf(this.bias)) : y;
  }

  /** The filters that the images meet, [out, in, height, width]. */
  protected filters(): Tensor {
    return valueOf(this.weight);
  }
}

/**
 * - `standardized`: (w - mean) / sqrt(var + 1e-5), the formula of Qiao et al. (2019, 1903.10520).
 * - `printed`: (w - mean) * sqrt(var + 1e-5), what the code in "The Annotated Diffusion Model" computes, since it
 *   divides by a reciprocal square root. It is here to run weights that were trained with that code.
 */
export type WeightStandardization = "standardized" | "printed";

export const weightStandardizations = ["standardized", "printed"] as const satisfies WeightStandardization[];
const EPSILON = 1e-5;

export interface WeightStandardizedConv2dOptions extends Conv2dLayerOptions {
  /** Default `standardized`. */
  readonly weightStandardization?: WeightStandardization;
}

/**
 * A {@link Conv2d} each of whose filters has mean 0 and variance 1 over input channels and pixels before it is used
 * (weight standardization, Qiao et al. 2019, 1903.10520). It goes together with group normalization.
 */
export class WeightStandardizedConv2d extends Conv2d {
  readonly weightStandardization: WeightStandardization;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: WeightStandardizedConv2dOptions = {},
  ) {
    checkNames("WeightStandardizedConv2d", options, [...conv2dOptionNames, "weightStandardization"]);
    const { weightStandardization = "standardized", ...ofConv2d } = options;
    super(inChannels, outChannels, kernelSize, ofConv2d);
    if (!weightStandardizations.includes(weightStandardization)) {
      const requirement = `weightStandardization must be ${weightStandardizations.join(" or ")}`;
      throw new Error(`WeightStandardizedConv2d: ${requirement}, got ${weightStandardization}`);
    }
    this.weightStandardization = weightStandardization;
  }

  protected override filters(): Tensor {
    const weight = valueOf(this.weight);
    const perFilter = [1, 2, 3];
    const spread = variance(weight, perFilter).add(EPSILON);
    const centred = weight.subtract(weight.mean(perFilter, true));
    return centred.multiply(this.weightStandardization === "printed" ? spread.sqrt() : spread.rsqrt());
  }
}
