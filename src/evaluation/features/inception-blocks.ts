import { Module } from "../../nn/module/module.ts";
import { conv2d } from "../../tensor/functions/functions.ts";
import { concatenate, valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { avgPool3x3, maxPool3x3 } from "./window.ts";

const EPSILON = 1e-3;

/** A convolution of a block: its name in torchvision, output channels, kernel, and stride or padding. */
export interface ConvSpec {
  readonly name: string;
  readonly channels: number;
  /** [height, width] */
  readonly kernel: readonly [number, number];
  /** With a stride of 2 there is no padding; with 1, by default, the image keeps its size. */
  readonly stride?: 1 | 2;
}

/** What a branch does, one after the other; a list of convolutions sees the same input and gives its outputs together. */
export type BranchStep = ConvSpec | readonly ConvSpec[] | "avgPool" | "maxPool" | "maxPoolStride2";

/** A convolution without bias, batch normalization by what was measured in training, and ReLU. */
export class BasicConv2d extends Module {
  readonly weight: Variable;
  readonly gain: Variable;
  readonly bias: Variable;
  readonly mean: Variable;
  readonly variance: Variable;
  readonly stride: number;
  readonly padding: readonly [number, number];

  constructor(inChannels: number, { channels, kernel, stride = 1 }: Omit<ConvSpec, "name">, isPadded = true) {
    super();
    const [height, width] = kernel;
    this.weight = new Variable("weight", [channels, inChannels, height, width]);
    const perChannel = (name: string): Variable => new Variable(name, [channels]);
    this.gain = perChannel("weight");
    this.bias = perChannel("bias");
    this.mean = perChannel("running_mean");
    this.variance = perChannel("running_var");
    this.stride = stride;
    this.padding = stride === 1 && isPadded ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
  }

  override parts(): [string, unknown][] {
    return [
      ["conv.weight", this.weight],
      ["bn.weight", this.gain],
      ["bn.bias", this.bias],
      ["bn.running_mean", this.mean],
      ["bn.running_var", this.variance],
    ];
  }

  forward(x: Tensor): Tensor {
    const scale = valueOf(this.gain).multiply(valueOf(this.variance).add(EPSILON).rsqrt());
    const shift = valueOf(this.bias).subtract(valueOf(this.mean).multiply(scale));
    const { stride, padding } = this;
    const y = conv2d(x, valueOf(this.weight).transpose([2, 3, 1, 0]), { stride, padding });
    return y.multiply(scale).add(shift).maximum(0);
  }
}

const pools = {
  avgPool: avgPool3x3,
  maxPool: (x: Tensor) => maxPool3x3(x, { padding: 1 }),
  maxPoolStride2: (x: Tensor) => maxPool3x3(x, { stride: 2 }),
} as const;

/** Branches side by side; their outputs' channels follow each other. */
export class InceptionBlock extends Module {
  readonly outChannels: number;
  readonly #branches: readonly (readonly BranchStep[])[];
  readonly #convs = new Map<string, BasicConv2d>();

  constructor(inChannels: number, branches: readonly (readonly BranchStep[])[]) {
    super();
    this.#branches = branches;
    this.outChannels = branches
      .map((branch) => branch.reduce((channels, step) => this.#build(channels, step), inChannels))
      .reduce((sum, channels) => sum + channels, 0);
  }

  override parts(): [string, unknown][] {
    return [...this.#convs];
  }

  forward(x: Tensor): Tensor {
    const outputs = this.#branches.map((branch) => branch.reduce((y, step) => this.#run(y, step), x));
    return concatenate(outputs, 3);
  }

  /** @returns the channels after the step */
  #build(inChannels: number, step: BranchStep): number {
    if (typeof step === "string") return inChannels;
    const specs = "name" in step ? [step] : step;
    for (const spec of specs) this.#convs.set(spec.name, new BasicConv2d(inChannels, spec));
    return specs.reduce((sum, { channels }) => sum + channels, 0);
  }

  #run(x: Tensor, step: BranchStep): Tensor {
    if (typeof step === "string") return pools[step](x);
    const specs = "name" in step ? [step] : step;
    return concatenate(
      specs.flatMap(({ name }) => this.#convs.get(name)?.forward(x) ?? []),
      3,
    );
  }
}
