import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { networkCases, weightsOf } from "../../../test/support/network-cases.ts";
import { Random } from "../../../test/support/random.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { RandomStream } from "../../tensor/random.ts";
import { scalar } from "../../tensor/tensor.ts";
import { whileTraining } from "../../nn/dropout.ts";
import { AdmUnet } from "./adm-unet.ts";
import type { AdmUnetOptions } from "./options.ts";

const small: AdmUnetOptions = {
  numChannels: 8,
  channels: 1,
  channelMult: [1, 2],
  attentionResolutions: [2],
  numResBlocks: 1,
  numHeads: 2,
  normGroups: 4,
};
const random = new Random(1);
const time = ndarray([3, 250], [2], "i32");

/** A model of the same options with weights of which none is zero. */
async function filled(options: AdmUnetOptions): Promise<AdmUnet> {
  const model = new AdmUnet(options);
  const parameters = Object.fromEntries([...model.parameters()].map(([name, { shape }]) => [name, shape]));
  const [recorded] = networkCases("adm");
  await model.loadStateDict(weightsOf({ ...recorded, parameters, seed: 7 }));
  return model;
}

describe("ADM's U-Net", () => {
  test("starts by predicting nothing", async () => {
    const model = new AdmUnet(small);
    const y = await evaluate((x, t) => model.forward(x, t), random.array([2, 4, 4, 1]), time);
    expect(new Set(y.data)).toEqual(new Set([0]));
  });

  test("has the published model's attention and blocks unless told otherwise", () => {
    const { options } = new AdmUnet({ numChannels: 64 });
    expect(options).toEqual({
      numChannels: 64,
      channels: 3,
      outDim: 3,
      numResBlocks: 2,
      channelMult: [1, 2, 3, 4],
      attentionResolutions: [2, 4, 8],
      numHeadChannels: 64,
      useScaleShiftNorm: true,
      resblockUpdown: true,
      convResample: true,
      numClasses: 0,
      dropout: 0,
      nullClass: true,
      useNewAttentionOrder: false,
      normGroups: 32,
      seed: 0,
    });
  });

  test("treats the images of a batch apart, each at its own time and class", async () => {
    const model = await filled({ ...small, numClasses: 3, outDim: 2 });
    const x = random.array([2, 4, 6, 1]);
    const run = (x: typeof time, t: typeof time, classes: typeof time) =>
      evaluate((x, t, classes) => model.forward(x, t, { classes }), x, t, classes);
    const together = await run(x, time, ndarray([2, 0], [2], "i32"));
    expect(together.shape).toEqual([2, 4, 6, 2]);
    const alone = await run(
      ndarray(x.data.slice(24), [1, 4, 6, 1]),
      ndarray([250], [1], "i32"),
      ndarray([0], [1], "i32"),
    );
    expect(largestDifference(together.data.slice(48), alone.data)).toBeLessThan(1e-6);
  });

  test("drops values while it is trained, and only then", async () => {
    const model = await filled({ ...small, dropout: 0.5 });
    const plain = await filled(small);
    const x = random.array([2, 4, 4, 1]);
    const used = await evaluate((x, t) => model.forward(x, t), x, time);
    expect(used).toEqual(await evaluate((x, t) => plain.forward(x, t), x, time));
    const trained = (seed: number) => {
      const stream = new RandomStream([scalar(seed, "u32"), scalar(0, "u32")]);
      return evaluate((x, t) => whileTraining(stream, () => model.forward(x, t)), x, time);
    };
    const [first, second] = [await trained(1), await trained(2)];
    expect(largestDifference(first.data, used.data)).toBeGreaterThan(1e-2);
    expect(largestDifference(first.data, second.data)).toBeGreaterThan(1e-2);
  });

  test("knows a class for none, and mixtures of classes", async () => {
    const model = await filled({ ...small, numClasses: 3 });
    const x = random.array([2, 4, 4, 1]);
    const [classes, keepMask] = [ndarray([2, 0], [2], "i32"), ndarray([1, 0], [2], "bool")];
    const told = await evaluate((x, t, classes) => model.forward(x, t, { classes }), x, time, classes);
    const untold = await evaluate((x, t) => model.forward(x, t), x, time);
    const half = await evaluate(
      (x, t, classes, keepMask) => model.forward(x, t, { classes, keepMask }),
      x,
      time,
      classes,
      keepMask,
    );
    expect(half.data.slice(0, 16)).toEqual(told.data.slice(0, 16));
    expect(half.data.slice(16)).toEqual(untold.data.slice(16));
    expect(largestDifference(told.data, untold.data)).toBeGreaterThan(1e-2);
    const oneHot = ndarray([0, 0, 1, 1, 0, 0], [2, 3]);
    const mixed = await evaluate((x, t, classes) => model.forward(x, t, { classes }), x, time, oneHot);
    expect(largestDifference(mixed.data, told.data)).toBeLessThan(1e-6);
  });
});

describe("ADM's U-Net says in one line", () => {
  const run = (model: AdmUnet, shape: readonly number[], times: number) => {
    const x = ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    return evaluate((x, t) => model.forward(x, t), x, ndarray(new Int32Array(times), [times]));
  };

  test("which images and conditions it needs", async () => {
    const model = new AdmUnet(small);
    await expect(run(model, [1, 4, 5, 1], 1)).rejects.toThrow(
      "AdmUnet: height and width must be divisible by 2 with 2 resolutions, got 4 x 5",
    );
    await expect(run(model, [1, 4, 4, 3], 1)).rejects.toThrow("AdmUnet: input must be f32 [batch, height, width, 1]");
    await expect(run(model, [2, 4, 4, 1], 1)).rejects.toThrow(
      "AdmUnet: time must hold one timestep for each of 2 images",
    );
    await expect(run(new AdmUnet({ ...small, numClasses: 2, nullClass: false }), [1, 4, 4, 1], 1)).rejects.toThrow(
      "AdmUnet: every image needs its class, because the model was made with nullClass false",
    );
  });

  test("which options it needs", () => {
    const refusal = (options: Partial<AdmUnetOptions>) => expect(() => new AdmUnet({ ...small, ...options }));
    refusal({ numChannels: 0 }).toThrow("AdmUnet: numChannels must be a whole number from 2 to 4096, got 0");
    refusal({ numClasses: -1 }).toThrow("AdmUnet: numClasses must be a whole number of at least 0, got -1");
    refusal({ channelMult: [] }).toThrow("AdmUnet: channelMult must be a list of 1 to 12 entries, got []");
    refusal({ channelMult: [1, 0.2] }).toThrow(
      "AdmUnet: channels of every resolution must be divisible by normGroups, got 0.2 x 8 and 4",
    );
    refusal({ channelMult: [1, -1] }).toThrow("AdmUnet: channelMult[1] must be a number above 0, got -1");
    refusal({ learn_sigma: true } as object).toThrow("AdmUnet: has no option learn_sigma");
    refusal({ attentionResolutions: [16] }).toThrow("AdmUnet: attentionResolutions must be among 1, 2, got 16");
    refusal({ numHeads: 3 }).toThrow("AdmUnet: channels of attention must be divisible by numHeads, got 16 and 3");
    refusal({ numHeads: undefined }).toThrow("must be divisible by numHeadChannels, got 16 and 64");
  });
});
