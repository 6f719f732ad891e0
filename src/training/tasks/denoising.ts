import { lowresConditions } from "../../diffusion/sampling/cascade.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { Conditions } from "../../models/conditions/declaration.ts";
import { Random } from "../../nn/init.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { TaskInput, TrainingTask } from "../task.ts";
import { Noising } from "./noising.ts";
import type { Noised } from "./noising.ts";
import { checkOptions } from "../../config/rules.ts";

export interface DenoisingOptions {
  /** How timesteps are drawn; `importance` by their losses. Default `uniform`. */
  readonly scheduleSampler?: "uniform" | "importance" | undefined;
  /** Share of the images of which the network is told nothing, picked at random; default 0. */
  readonly condDropProb?: number | undefined;
  /** How many times smaller in each side a stage of a cascade is shown the images; default 4. */
  readonly lowresFactor?: number | undefined;
  /** Shapes of what there is to tell of each image, by name; a condition of any length is told only if it is here. */
  readonly conditionShapes?: Readonly<Record<string, Shape>> | undefined;
}

/** Without the network's own estimate of the clean images, and with it. */
const [PLAIN, WITH_ESTIMATE] = ["plain", "withEstimate"];

/**
 * A network learns what a diffusion asks of it: lines 2 to 5 of Algorithm 1 of Ho et al. (2020, 2006.11239), or another
 * diffusion's loss. One with self-condition is fed its own first estimate in half of the steps (Chen et al. 2022,
 * 2208.04202), and one with conditions is not told those of a share of the images (line 3 of Algorithm 1 of Ho & Salimans
 * 2022, 2207.12598).
 */
export function denoising(model: Denoiser, diffusion: Diffusion, options: DenoisingOptions = {}): TrainingTask {
  checkOptions("denoising", options, {
    scheduleSampler: "string",
    condDropProb: "number",
    lowresFactor: "number",
    conditionShapes: "object",
  });
  const { scheduleSampler = "uniform", condDropProb = 0, lowresFactor = 4, conditionShapes = {} } = options;
  const { conditions: declared = {} } = model;
  const noising = new Noising(diffusion, scheduleSampler);
  const inputs = inputsOf(declared, conditionShapes);
  const isNullable = Object.keys(inputs).some((name) => declared[name].nullable);

  const losses = ({ xStart, t, noise }: Noised, told: Conditions, withEstimate: boolean) => {
    const estimate = () => diffusion.estimateXStart(model, diffusion.qSample(xStart, t, noise), t, told);
    const conditions = withEstimate ? { ...told, selfCondition: estimate() } : told;
    return diffusion.losses(model, xStart, t, noise, conditions);
  };

  return {
    inputs,
    variants: declared.selfCondition ? [PLAIN, WITH_ESTIMATE] : [PLAIN],
    variantOf: (seed, counter) => (declared.selfCondition && isHeads(seed, counter) ? WITH_ESTIMATE : PLAIN),
    loss({ images, inputs: given, variant }, random) {
      const noised = noising.draw(images, random);
      const lowres = declared.lowresCondImg && lowresConditions(diffusion, images, lowresFactor, random);
      const isDropping = isNullable && condDropProb > 0;
      const keepMask = isDropping ? random.uniform(noised.t.shape).compare("ge", condDropProb) : undefined;
      const told: Conditions = { ...given, ...(keepMask && { keepMask }), ...lowres };
      return noising.lossOf(noised, losses(noised, told, variant === WITH_ESTIMATE));
    },
    state: () => noising.state(),
    record: (observations) => noising.record(observations),
    refresh: (records) => noising.refresh(records),
  };
}

/** The conditions that a dataset has to tell. */
function inputsOf(
  declared: NonNullable<Denoiser["conditions"]>,
  shapes: Readonly<Record<string, Shape>>,
): Record<string, TaskInput> {
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, { shape, dtype, source }]): [string, TaskInput][] => {
      if (source !== "dataset" || shape === "image" || dtype === "time") return [];
      const ofImage = shape.map((size, axis) => size ?? shapes[name]?.[axis] ?? 0);
      return ofImage.includes(0) ? [] : [[name, { shape: ofImage, dtype }]];
    }),
  );
}

/** A fair coin that depends on the seed and the counter alone. */
function isHeads(seed: number, counter: number): boolean {
  return new Random((Math.imul(seed, 0x9e3779b1) ^ counter) >>> 0).uniform() < 0.5;
}
