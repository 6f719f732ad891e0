import type { Safetensors } from "../../io/safetensors/safetensors.ts";
import { Module } from "../../nn/module/module.ts";
import { concatenate } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { FeatureNetwork } from "./feature-network.ts";
import { BasicConv2d, InceptionBlock } from "./inception-blocks.ts";
import type { BranchStep, ConvSpec } from "./inception-blocks.ts";
import { stateFromFile } from "./weights.ts";
import { maxPool3x3, resizeBilinear } from "./window.ts";

const SIDE = 299;
/** In files, but no part of the features: the classifiers, and counts of training steps. */
const NOT_NEEDED = /^(fc|AuxLogits)\.|\.num_batches_tracked$/;

/**
 * Inception-v3 (Szegedy et al. 2015, 1512.00567) up to its last pooling, 2,048 features, in the form that FID is defined
 * with: that of TensorFlow's model of 2015-12-05, whose average pools leave out the padding and whose last block takes
 * maxima. Parameters have torchvision's names, which pytorch-fid's `pt_inception-2015-12-05` shares.
 */
export class InceptionV3 extends Module implements FeatureNetwork {
  readonly name = "Inception-v3";
  readonly featureCount: number;
  readonly batchSize: number;
  readonly #layers: readonly (readonly [string, BasicConv2d | InceptionBlock | "maxPool"])[];

  /** Its parameters are 0 until they are loaded. */
  constructor({ batchSize = 16 }: { readonly batchSize?: number } = {}) {
    super();
    this.batchSize = batchSize;
    this.#layers = buildLayers();
    const last = this.#layers[this.#layers.length - 1][1];
    this.featureCount = last instanceof InceptionBlock ? last.outChannels : 0;
    this.labelParameters();
  }

  /**
   * @param source name of the file for messages
   * @throws one error that lists every missing, unexpected and ill-shaped name
   */
  static async fromSafetensors(file: Safetensors, source: string): Promise<InceptionV3> {
    const needed = [...stateFromFile(file, source)].filter(([name]) => !NOT_NEEDED.test(name));
    const network = new InceptionV3();
    await network.loadStateDict(new Map(needed), source);
    return network;
  }

  override parts(): [string, unknown][] {
    return this.#layers.map(([name, layer]) => [name, layer]);
  }

  checkImageShape(shape: readonly number[]): void {
    if (shape.length === 3 && (shape[2] === 1 || shape[2] === 3)) return;
    throw new Error(`the features of ${this.name} are for gray or RGB images, got [${shape.join(", ")}]`);
  }

  /** Gray images become RGB, and all are scaled to 299 x 299, as pytorch-fid does it. */
  features(images: Tensor): Tensor {
    const rgb = images.shape[3] === 3 ? images : concatenate([images, images, images], 3);
    const x = resizeBilinear(rgb.multiply(2 / 255).subtract(1), SIDE, SIDE);
    return this.#layers
      .reduce((y, [, layer]) => (layer === "maxPool" ? maxPool3x3(y, { stride: 2 }) : layer.forward(y)), x)
      .mean([1, 2]);
  }

  forward(images: Tensor): Tensor {
    return this.features(images);
  }
}

function conv(name: string, channels: number, kernel: number | readonly [number, number] = 1, stride?: 2): ConvSpec {
  return { name, channels, kernel: typeof kernel === "number" ? [kernel, kernel] : kernel, stride };
}

const blockA = (poolChannels: number): readonly (readonly BranchStep[])[] => [
  [conv("branch1x1", 64)],
  [conv("branch5x5_1", 48), conv("branch5x5_2", 64, 5)],
  [conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3), conv("branch3x3dbl_3", 96, 3)],
  ["avgPool", conv("branch_pool", poolChannels)],
];

const blockB: readonly (readonly BranchStep[])[] = [
  [conv("branch3x3", 384, 3, 2)],
  [conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3), conv("branch3x3dbl_3", 96, 3, 2)],
  ["maxPoolStride2"],
];

const blockC = (inner: number): readonly (readonly BranchStep[])[] => [
  [conv("branch1x1", 192)],
  [conv("branch7x7_1", inner), conv("branch7x7_2", inner, [1, 7]), conv("branch7x7_3", 192, [7, 1])],
  [
    conv("branch7x7dbl_1", inner),
    conv("branch7x7dbl_2", inner, [7, 1]),
    conv("branch7x7dbl_3", inner, [1, 7]),
    conv("branch7x7dbl_4", inner, [7, 1]),
    conv("branch7x7dbl_5", 192, [1, 7]),
  ],
  ["avgPool", conv("branch_pool", 192)],
];

const blockD: readonly (readonly BranchStep[])[] = [
  [conv("branch3x3_1", 192), conv("branch3x3_2", 320, 3, 2)],
  [
    conv("branch7x7x3_1", 192),
    conv("branch7x7x3_2", 192, [1, 7]),
    conv("branch7x7x3_3", 192, [7, 1]),
    conv("branch7x7x3_4", 192, 3, 2),
  ],
  ["maxPoolStride2"],
];

const blockE = (pool: "avgPool" | "maxPool"): readonly (readonly BranchStep[])[] => [
  [conv("branch1x1", 320)],
  [conv("branch3x3_1", 384), [conv("branch3x3_2a", 384, [1, 3]), conv("branch3x3_2b", 384, [3, 1])]],
  [
    conv("branch3x3dbl_1", 448),
    conv("branch3x3dbl_2", 384, 3),
    [conv("branch3x3dbl_3a", 384, [1, 3]), conv("branch3x3dbl_3b", 384, [3, 1])],
  ],
  [pool, conv("branch_pool", 192)],
];

function buildLayers(): readonly (readonly [string, BasicConv2d | InceptionBlock | "maxPool"])[] {
  const stem = (inChannels: number, channels: number, kernel: 1 | 3, stride: 1 | 2, isPadded = false) =>
    new BasicConv2d(inChannels, { channels, kernel: [kernel, kernel], stride }, isPadded);
  const blocks: readonly (readonly [string, readonly (readonly BranchStep[])[]])[] = [
    ["Mixed_5b", blockA(32)],
    ["Mixed_5c", blockA(64)],
    ["Mixed_5d", blockA(64)],
    ["Mixed_6a", blockB],
    ["Mixed_6b", blockC(128)],
    ["Mixed_6c", blockC(160)],
    ["Mixed_6d", blockC(160)],
    ["Mixed_6e", blockC(192)],
    ["Mixed_7a", blockD],
    ["Mixed_7b", blockE("avgPool")],
    ["Mixed_7c", blockE("maxPool")],
  ];
  let channels = 192;
  const mixed = blocks.map(([name, branches]) => {
    const block = new InceptionBlock(channels, branches);
    channels = block.outChannels;
    return [name, block] as const;
  });
  return [
    ["Conv2d_1a_3x3", stem(3, 32, 3, 2)],
    ["Conv2d_2a_3x3", stem(32, 32, 3, 1)],
    ["Conv2d_2b_3x3", stem(32, 64, 3, 1, true)],
    ["maxPool1", "maxPool"],
    ["Conv2d_3b_1x1", stem(64, 80, 1, 1)],
    ["Conv2d_4a_3x3", stem(80, 192, 3, 1)],
    ["maxPool2", "maxPool"],
    ...mixed,
  ];
}
