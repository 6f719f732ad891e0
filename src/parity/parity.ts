import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import type { LossType } from "../diffusion/objectives/loss-type.ts";
import { linearBetaSchedule } from "../diffusion/process/schedules.ts";
import type { WeightStandardization } from "../nn/conv2d.ts";
import { grad } from "../tensor/autodiff/grad.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { valueOf } from "../tensor/tensor.ts";
import { Adam } from "../optim/adam.ts";
import { absolute, gradientShares, images, normShares, relative } from "./check.ts";
import type { ParityCheck } from "./check.ts";
import { ParityCase, variants } from "./parity-case.ts";
import type { ParityFiles } from "./parity-case.ts";
import { checkSample } from "./sampling.ts";

export interface ParityReport {
  readonly case: string;
  readonly variant: WeightStandardization;
  readonly checks: readonly ParityCheck[];
}

/** What can be compared: a pass forward, losses, gradients, five steps of Adam, ten steps of Algorithm 2. */
const parityParts = ["prediction", "losses", "gradients", "adam", "sample"] as const;
export type ParityPart = (typeof parityParts)[number];

export interface ParityOptions {
  /** Default: all. */
  readonly variants?: readonly WeightStandardization[];
  /** Default: all. */
  readonly parts?: readonly ParityPart[];
  /** Called with each check as soon as it is done. */
  readonly onCheck?: (check: ParityCheck, variant: WeightStandardization) => void;
}

/** Differences that float32 explains: absolute, but for gradients (of their norm) and Adam's losses (of the loss). */
export const tolerances = { image: 2e-4, loss: 1e-5, gradient: 1e-3, adamLoss: 1e-3 } as const;

/** The reference values were computed with the article's linear schedule. */
const TIMESTEPS = 300;
const lossTypes = ["l1", "l2", "huber"] as const;

/**
 * Repeats on a backend what PyTorch computed with the article's code, and compares.
 *
 * @throws if a file of the case lacks something or does not fit the model
 */
export async function runParity(
  files: ParityFiles,
  backend: Backend,
  options: ParityOptions = {},
): Promise<ParityReport[]> {
  const parityCase = new ParityCase(files);
  const parts = options.parts ?? parityParts;
  const reports: ParityReport[] = [];
  for (const variant of options.variants ?? variants) {
    const checks: ParityCheck[] = [];
    for (const part of parityParts.filter((part) => parts.includes(part))) {
      for (const check of await runPart[part](parityCase, variant, backend)) {
        checks.push(check);
        options.onCheck?.(check, variant);
      }
    }
    reports.push({ case: parityCase.name, variant, checks });
  }
  return reports;
}

type RunPart = (parityCase: ParityCase, variant: WeightStandardization, backend: Backend) => Promise<ParityCheck[]>;

const runPart: Readonly<Record<ParityPart, RunPart>> = {
  async prediction(parityCase, variant, backend) {
    const model = await parityCase.model(variant);
    const diffusion = diffusionFor("huber");
    const predict = compile(backend, ({ xStart, t, noise }) => {
      const noisy = diffusion.qSample(xStart, t, noise);
      return { outputs: { noisy, prediction: model.forward(noisy, t) } };
    });
    const { noisy, prediction } = await predict(batchOf(parityCase));
    predict.dispose();
    return [
      absolute("parameter count", [model.parameterCount()], [parityCase.parameterCount], 0),
      images("x_noisy", noisy, parityCase.images("x_noisy"), tolerances.image),
      images("prediction", prediction, parityCase.images(`${variant}.prediction`), tolerances.image),
    ];
  },

  async losses(parityCase, variant, backend) {
    const model = await parityCase.model(variant);
    const losses = compile(backend, ({ xStart, t, noise }) => {
      // One pass of the network for all three.
      const prediction = model.forward(diffusionFor("l1").qSample(xStart, t, noise), t);
      const known = { channels: model.channels, forward: () => prediction };
      const lossOf = (type: LossType) => diffusionFor(type).pLosses(known, xStart, t, noise);
      return { outputs: { l1: lossOf("l1"), l2: lossOf("l2"), huber: lossOf("huber") } };
    });
    const values = await losses(batchOf(parityCase));
    losses.dispose();
    return lossTypes.map((type) => {
      const expected = parityCase.expected(variant)[`loss.${type}`];
      return absolute(`loss ${type}`, values[type].data, [expected], tolerances.loss);
    });
  },

  async gradients(parityCase, variant, backend) {
    const model = await parityCase.model(variant);
    const names = [...model.parameters().keys()];
    const gradients = compile<string>(backend, ({ xStart, t, noise }) => {
      const loss = diffusionFor("huber").pLosses(model, xStart, t, noise);
      const values = grad(loss, [...model.parameters().values()].map(valueOf));
      return { outputs: Object.fromEntries(names.map((name, i) => [name, values[i]])) };
    });
    const computed = await gradients(batchOf(parityCase));
    gradients.dispose();
    return [
      gradientShares("gradients", computed, parityCase.gradients(variant), tolerances.gradient),
      normShares("gradient norms", computed, parityCase.expected(variant).gradnorm, tolerances.gradient),
    ];
  },

  async adam(parityCase, variant, backend) {
    const model = await parityCase.model(variant);
    const parameters = [...model.parameters().values()];
    const adam = new Adam(parameters, { learningRate: 1e-3 });
    const step = compile(backend, ({ xStart, t, noise }) => {
      const loss = diffusionFor("huber").pLosses(model, xStart, t, noise);
      return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
    });
    const expected = parityCase.expected(variant).adam_losses;
    const losses: number[] = [];
    // A step returns the loss before its update, so the loss after the last update takes one more.
    for (let i = 0; i <= expected.length; i++) losses.push((await step(batchOf(parityCase))).loss.data[0]);
    step.dispose();
    return [relative(`losses of ${expected.length} Adam steps`, losses.slice(1), expected, tolerances.adamLoss)];
  },

  async sample(parityCase, variant, backend) {
    return [await checkSample(parityCase, variant, backend, TIMESTEPS, tolerances.image)];
  },
};

function diffusionFor(lossType: LossType): GaussianDiffusion {
  return new GaussianDiffusion({ betas: linearBetaSchedule(TIMESTEPS), lossType, clipDenoised: false });
}

function batchOf(parityCase: ParityCase): Record<"xStart" | "t" | "noise", NdArray> {
  return { xStart: parityCase.images("x_start"), t: parityCase.timesteps(), noise: parityCase.images("noise") };
}
