import type { UnetOptions } from "../../models/unet/options.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";

/** Options that no tensor tells. */
export interface UntoldOptions {
  readonly weightStandardization: "standardized" | "printed";
  readonly resnetBlockGroups: number;
  /** By default as many as have 32 channels each. */
  readonly attentionHeads?: number | undefined;
  /** Channels of the images, where the network's inputs leave it open. */
  readonly channels?: number | undefined;
}

/** Channels of an attention head, of the article and of denoising-diffusion-pytorch. */
const DIM_HEAD = 32;

/**
 * The options of the U-Net that has tensors of these shapes.
 *
 * @returns all that a Unet is made of; `outDim` is twice `channels` where it learns the variance
 * @throws Error of one line naming the tensor that fits no U-Net
 */
export function unetOptionsOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  untold: UntoldOptions,
  source: string,
): UnetOptions & { readonly channels: number; readonly outDim: number } {
  const shapeOf = (name: string, axes: number): readonly number[] => {
    const shape = tensors.get(name)?.shape;
    if (shape === undefined) throw new Error(`${source}: not the weights of a U-Net that is read: ${name} is missing`);
    if (shape.length === axes && shape.every((length) => length > 0)) return shape;
    throw new Error(`${source}: ${name} must have ${axes} axes, none of them 0, got [${shape.join(",")}]`);
  };
  const [initDim, inputs] = shapeOf("init_conv.weight", 4);
  const [, dim] = shapeOf("time_mlp.1.weight", 2);
  const [outDim] = shapeOf("final_conv.weight", 4);
  const dimMults: number[] = [];
  for (let stage = 0; tensors.has(`downs.${stage}.0.block1.proj.weight`); stage++) {
    const isLast = !tensors.has(`downs.${stage + 1}.0.block1.proj.weight`);
    const [deep] = shapeOf(`downs.${stage}.3.${isLast ? "" : "1."}weight`, 4);
    if (deep % dim !== 0)
      throw new Error(`${source}: ${deep} channels after downs.${stage} are no multiple of dim ${dim}`);
    dimMults.push(deep / dim);
  }
  if (dimMults.length === 0) shapeOf("downs.0.0.block1.proj.weight", 4);
  const hidden = shapeOf("mid_attn.fn.fn.to_qkv.weight", 4)[0] / 3;
  const heads = untold.attentionHeads ?? Math.max(1, Math.floor(hidden / DIM_HEAD));
  if (!Number.isInteger(hidden / heads)) {
    throw new Error(`${source}: ${hidden} channels of attention cannot be divided into ${heads} heads`);
  }
  const groups = untold.resnetBlockGroups;
  const undivided = [initDim, dim, ...dimMults.map((mult) => dim * mult)].find((width) => width % groups !== 0);
  if (undivided !== undefined) {
    throw new Error(
      `${source}: has ${undivided} channels, which cannot be normalized in ${groups} groups: give resnetBlockGroups (--resnet-block-groups)`,
    );
  }
  const { channels, selfCondition } = imageChannels(inputs, outDim, untold.channels, source);
  return {
    dim,
    initDim,
    outDim,
    dimMults,
    channels,
    selfCondition,
    resnetBlockGroups: groups,
    attentionHeads: heads,
    attentionDimHead: hidden / heads,
    weightStandardization: untold.weightStandardization,
  };
}

/** A network that is told its own estimate has twice the inputs, one that learns the variance twice the outputs. */
function imageChannels(
  inputs: number,
  outputs: number,
  known: number | undefined,
  source: string,
): { readonly channels: number; readonly selfCondition: boolean } {
  for (const channels of known === undefined ? [1, 3] : [known]) {
    const fits = (count: number): boolean => count === channels || count === 2 * channels;
    if (fits(inputs) && fits(outputs)) return { channels, selfCondition: inputs === 2 * channels };
  }
  const images = known === undefined ? "1 or 3" : String(known);
  throw new Error(
    `${source}: ${inputs} inputs and ${outputs} outputs are not those of a network for images of ${images} channels`,
  );
}
