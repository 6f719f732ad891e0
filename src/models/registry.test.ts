import { describe, expect, test } from "vitest";
import type * as z from "zod/mini";
import { AdmUnet } from "./adm/adm-unet.ts";
import { DiT } from "./dit/dit.ts";
import { check, options, wholeNumber, withDefault } from "../config/rules.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { Random } from "../nn/init.ts";
import { Module } from "../nn/module/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { modelOptions } from "./model.ts";
import type { DiffusionModel } from "./model.ts";
import {
  architectureNamed,
  architectureNames,
  cloneModel,
  modelConfig,
  modelConfigOf,
  modelLike,
  newModel,
  registerModel,
} from "./registry.ts";
import { summary } from "./summary.ts";
import { UnetClassifier } from "./unet/classifier.ts";
import { Unet } from "./unet/unet.ts";

const small = { dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 1, attentionDimHead: 4, numClasses: 3 };
const adm = { numChannels: 8, channels: 1, channelMult: [0.5, 1], normGroups: 2, numHeads: 2, numClasses: 3 };
const dit = { hiddenSize: 8, depth: 1, numHeads: 2, channels: 1, numClasses: 3, outDim: 2 };

/** One convolution that answers for images of any time. */
const tinyOptions = options({ ...modelOptions, kernelSize: withDefault(wholeNumber(1, 9), 3) });
class Tiny extends Module implements DiffusionModel {
  readonly architecture = "tiny";
  readonly predicts = "images";
  readonly conditions = {};
  readonly options: z.output<typeof tinyOptions>;
  readonly conv: Conv2d;

  constructor(given: z.input<typeof tinyOptions>) {
    super();
    this.options = check(tinyOptions, given, "Tiny");
    const { channels, kernelSize, seed } = this.options;
    this.conv = new Conv2d(channels, channels, kernelSize, { padding: (kernelSize - 1) / 2, random: new Random(seed) });
    this.labelParameters();
  }

  override parts(): [string, unknown][] {
    return [["conv", this.conv]];
  }

  get channels(): number {
    return this.options.channels;
  }

  get numClasses(): number {
    return this.options.numClasses;
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

describe("the registry of architectures", () => {
  test.each([new Unet(small), new UnetClassifier(small), new AdmUnet(adm), new DiT(dit)])(
    "makes a network like $architecture again",
    async (model) => {
      const config = check(modelConfig, JSON.parse(JSON.stringify(modelConfigOf(model))), "config");
      const { architecture, ...given } = config;
      const [again, like] = [newModel(architecture, given), modelLike(model)];
      for (const other of [again, like]) {
        expect(other.constructor).toBe(model.constructor);
        expect(other.options).toEqual(model.options);
        expect(await other.stateDict()).toEqual(await model.stateDict());
      }
    },
  );

  test("takes a file without an architecture for a U-Net's", () => {
    const { architecture: _, ...old } = modelConfigOf(new Unet(small));
    expect(check(modelConfig, old, "config")).toEqual(modelConfigOf(new Unet(small)));
  });

  test("learns of networks of one's own", async () => {
    registerModel({
      name: "tiny",
      title: "tiny network",
      options: tinyOptions,
      create: (options) => new Tiny(options),
    });
    expect(architectureNames()).toContain("tiny");
    expect(() =>
      registerModel({ name: "tiny", title: "another", options: tinyOptions, create: (options) => new Tiny(options) }),
    ).toThrow("registerModel: there is an architecture tiny already");
    const model = newModel("tiny", { channels: 1, kernelSize: 5, seed: 3 });
    expect(model).toBeInstanceOf(Tiny);
    const copy = await cloneModel(model);
    expect(await copy.stateDict()).toEqual(await model.stateDict());
    expect(summary(model, 8).parameters).toBe(26);
    const config = check(modelConfig, { architecture: "tiny" }, "config");
    expect(config).toEqual({ architecture: "tiny", channels: 3, numClasses: 0, seed: 0, kernelSize: 3 });
  });

  test("says in one line what it does not know", () => {
    expect(() => architectureNamed("vae")).toThrow("architecture must be one of unet, unetClassifier");
    const read = (value: unknown) => () => check(modelConfig, value, "config");
    expect(read({ architecture: "vae" })).toThrow("config: architecture must be one of unet,");
    expect(read({ dim: 8, attention_heads: 2 })).toThrow(
      "config: has no option attention_heads, did you mean attentionHeads?",
    );
    expect(read({ dim: 8, dimMults: [1, "2"] })).toThrow(
      'config: dimMults[1] must be a whole number of at least 1, got "2"',
    );
  });
});
