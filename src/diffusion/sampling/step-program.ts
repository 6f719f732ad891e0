import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Compiled } from "../../backend/compile.ts";
import { declaredWhere } from "../../models/conditions/declaration.ts";
import type { Conditions } from "../../models/conditions/declaration.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { NumberVector } from "../../tensor/number-vector.ts";
import { sameShape, sizeOf } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { classGradient } from "./classifier.ts";
import type { ConditionArrays, Conditioning } from "./conditioning.ts";
import type { Denoiser, ModelOutput } from "../denoiser.ts";
import type { Process } from "../process/process.ts";
import type { SamplingPlan } from "../samplers/plan.ts";
import { NO_GUIDANCE, gradientFactor, guidedPrediction } from "./guidance.ts";
import type { Guidance } from "./guidance.ts";
import { noiseOf } from "./noise.ts";
import { StartingImages } from "./starting-images.ts";
import { UNBOUNDED, bounded, sameBounds } from "../samplers/parts/bounds.ts";
import type { Bounds } from "../samplers/parts/bounds.ts";
import { factors } from "../samplers/parts/combination.ts";
import type { AtHand, SamplerStep, Transform } from "../samplers/parts/sampler.ts";

/** What a step is told besides the timestep and the factors of its combinations. */
const NUMBERS = new NumberVector([
  "alpha",
  "sigma",
  "varianceSpread",
  "condScale",
  "rescaledPhi",
  "ofGradient",
  "ofKnown",
  "ofKnownNoise",
]);

interface NextValue {
  readonly variable: Variable;
  value: Tensor;
}

/** What a program is compiled for. Samplers that agree in it share one. */
export interface StepLayout extends Conditioning {
  readonly process: Process;
  readonly model: Denoiser;
  readonly backend: Backend;
  /** [batch, height, width, channels] */
  readonly shape: Shape;
  /** How the clean images that the network sees are kept within bounds. */
  readonly bounds: Bounds;
  /** What steps do besides combining, and how many numbers they give to it. */
  readonly transform: Transform | undefined;
  readonly numbers: number;
  /** Images kept from step to step besides x. */
  readonly memory: number;
  readonly isStochastic: boolean;
  /** Whether it puts known parts into images. */
  readonly isInpainting: boolean;
  /** Whether steps look at what the network saw before it was kept within bounds. */
  readonly usesPredicted: boolean;
  /** Whether a learned variance is the variance itself. */
  readonly isVarianceItself: boolean;
  /** f32 if the network is asked between timesteps. */
  readonly timestepType: "i32" | "f32";
}

/** What a program for a call is compiled for. */
export function layoutOf(
  process: Process,
  call: Pick<StepLayout, "model" | "backend" | "shape" | keyof Conditioning>,
  plan: SamplingPlan,
): StepLayout {
  const { bounds = process.clipDenoised ? { clipRange: 1 } : UNBOUNDED, transform, numbers, memory } = plan;
  const { isStochastic, isInpainting, usesPredicted, isVarianceItself, timestepType } = plan;
  const what = { isStochastic, isInpainting, usesPredicted, isVarianceItself, timestepType };
  return { process, ...call, bounds, transform, numbers, memory, ...what };
}

/** What a walk starts from. Its conditioning may have other numbers than the layout's, in the same places. */
export interface StartOfSteps extends Partial<Conditioning> {
  readonly x: NdArray;
  /** An estimate of the clean images for a network with self-condition; zeros without it. */
  readonly xStart?: NdArray | undefined;
  /** When inpainting: images that come in at every step, where the mask is 0. */
  readonly known?: { readonly images: NdArray; readonly mask: NdArray } | undefined;
}

/**
 * One step of any sampler as one program: the network, and the combinations that follow. Images and memory stay on the
 * device; timestep, coefficients and random key come in as numbers, so that every step runs the same program.
 */
export class StepProgram {
  readonly layout: StepLayout;
  /** What its walks start from. */
  readonly starting: StartingImages;
  readonly #x: Variable;
  readonly #xStart: Variable;
  readonly #memory: readonly Variable[];
  readonly #conditions: ReadonlyMap<string, Variable>;
  /** What a classifier guides towards. */
  readonly #classes: Variable | undefined;
  /** The size of the network's answers so far, [batch], which stays a number as long as all of them are. */
  readonly #magnitude: Variable;
  /** What inpainting knows of the images, and where: 0 in the mask, [batch, height, width, 1]. */
  readonly #known: { readonly images: Variable; readonly mask: Variable } | undefined;
  readonly #program: Compiled<never>;
  /** What the device holds for the program, once it was compiled. */
  #programBytes = 0;
  #guidance: Guidance = NO_GUIDANCE;

  constructor(layout: StepLayout) {
    this.layout = layout;
    this.starting = new StartingImages(layout.backend, layout.shape);
    this.#x = new Variable("x", layout.shape);
    this.#xStart = new Variable("xStart", layout.shape);
    this.#memory = Array.from({ length: layout.memory }, (_, i) => new Variable(`memory ${i}`, layout.shape));
    const { conditions, classes } = layout;
    this.#conditions = new Map(Object.entries(conditions).map(([name, value]) => [name, variableLike(name, value)]));
    this.#classes = classes && variableLike("the classifier's classes", classes);
    this.#magnitude = new Variable("magnitude", [layout.shape[0]]);
    if (layout.isInpainting) {
      const mask = new Variable("mask", [...layout.shape.slice(0, -1), 1]);
      this.#known = { images: new Variable("known", layout.shape), mask };
    }
    this.#program = compile(layout.backend, (inputs) => ({ outputs: {}, updates: this.#updates(inputs) }));
  }

  fits({ shape, bounds, conditions, classes, guidance, ...layout }: StepLayout): boolean {
    const names = Object.keys(layout) as readonly (keyof typeof layout)[];
    return (
      names.every((name) => this.layout[name] === layout[name]) &&
      sameShape(this.layout.shape, shape) &&
      sameBounds(this.layout.bounds, bounds) &&
      sameShapes(this.layout.conditions, conditions) &&
      this.layout.classes?.shape.length === classes?.shape.length &&
      this.layout.guidance.isGuided === guidance.isGuided
    );
  }

  /** Begins with these images, and nothing in memory. */
  async begin({ x, xStart, known, conditions = {}, classes, guidance = NO_GUIDANCE }: StartOfSteps): Promise<void> {
    this.#guidance = guidance;
    const zeros = new Float32Array(sizeOf(this.layout.shape));
    await this.#x.write(x.data);
    await this.#xStart.write(xStart?.data ?? zeros);
    for (const variable of this.#memory) await variable.write(zeros);
    await this.#magnitude.write(new Float32Array(this.layout.shape[0]));
    for (const [name, variable] of this.#conditions) {
      const value = conditions[name];
      if (!value) throw new Error(`internal: the program needs ${name}`);
      await variable.write(value.data);
    }
    if (this.#classes) {
      if (!classes) throw new Error("internal: the program needs the classifier's classes");
      await this.#classes.write(classes.data);
    }
    if (!this.#known) return;
    if (!known) throw new Error("internal: the program needs what inpainting knows");
    await this.#known.images.write(known.images.data);
    await this.#known.mask.write(known.mask.data);
  }

  /** @param keyOrNoise a `noiseKey` to draw the noise from, or the noise itself, f32 shaped as the images */
  async step(step: SamplerStep, keyOrNoise: NdArray): Promise<void> {
    const { level, x, memory = [], varianceSpread = 0, numbers: given = [], known } = step;
    const places = this.layout.memory;
    const rows = [x, ...Array.from({ length: places }, (_, i) => memory[i] ?? {})];
    const { condScale, rescaledPhi } = this.#guidance;
    const table = rows.map((row) => factors(row, places));
    const { alpha, sigma } = level;
    const ofGradient = gradientFactor(this.#guidance, level);
    const [ofKnown, ofKnownNoise] = known ? [known.alpha, known.sigma] : [0, 0];
    const inputs = {
      t: ndarray([level.timestep], [], this.layout.timestepType),
      numbers: NUMBERS.pack({
        alpha,
        sigma,
        varianceSpread,
        condScale,
        rescaledPhi,
        ofGradient,
        ofKnown,
        ofKnownNoise,
      }),
      factors: ndarray(table.flat(), [table.length, table[0].length]),
      ...(given.length > 0 && { given: ndarray(given, [given.length]) }),
      keyOrNoise,
    };
    this.#programBytes = (await this.#program.prepare(inputs)).heldBytes;
    await this.#program(inputs);
  }

  /** Bytes of the device's memory that it holds from call to call. */
  get heldBytes(): number {
    return this.#programBytes + this.#own.reduce((sum, { size }) => sum + 4 * size, 0);
  }

  /** The images now. */
  async images(): Promise<NdArray> {
    return ndarray(await this.#x.read(), this.layout.shape);
  }

  /**
   * Looks for what is no number in the images and in all that the network answered since `begin`: clipping may hide it.
   *
   * @throws one line if there is any
   */
  async checkFinite(what: string): Promise<void> {
    const [batch] = this.layout.shape;
    const [magnitudes, x] = [await this.#magnitude.read(), await this.#x.read()];
    const size = x.length / batch;
    const isFinite = (_: unknown, i: number): boolean =>
      Number.isFinite(magnitudes[i]) && x.subarray(i * size, (i + 1) * size).every(Number.isFinite);
    const bad = batch - Array.from({ length: batch }, isFinite).filter(Boolean).length;
    if (bad === 0) return;
    throw new Error(
      `${what}: the model's output must be finite numbers, got others for ${bad} of ${batch} images: its weights are damaged or its training diverged`,
    );
  }

  /** The clean images that the network saw in those of the last step. */
  async xStart(): Promise<NdArray> {
    return ndarray(await this.#xStart.read(), this.layout.shape);
  }

  dispose(): void {
    this.#program.dispose();
    this.starting.dispose();
    for (const variable of this.#own) variable.dispose();
  }

  get #own(): Variable[] {
    const known = this.#known ? [this.#known.images, this.#known.mask] : [];
    const told = [...this.#conditions.values(), ...(this.#classes ? [this.#classes] : [])];
    return [this.#x, this.#xStart, this.#magnitude, ...this.#memory, ...told, ...known];
  }

  /** @param inputs those of `step`, by the same names */
  #updates({ t, numbers: packed, factors, keyOrNoise, ...rest }: Readonly<Record<string, Tensor>>): NextValue[] {
    const { process, bounds, shape, isStochastic, transform, numbers } = this.layout;
    const x = valueOf(this.#x);
    const { alpha, sigma, varianceSpread, condScale, rescaledPhi, ...of } = NUMBERS.unpack(packed);
    const { prediction, variance } = this.#output(x, t, condScale, rescaledPhi);
    const unguided = process.xStartOf(prediction, x, { alpha, sigma });
    const gradient = this.#classGradient(x, t);
    const predicted = gradient ? unguided.add(gradient.multiply(of.ofGradient)) : unguided;
    const xStart = bounded(predicted, bounds);

    const noise = isStochastic ? noiseOf(keyOrNoise, shape) : undefined;
    const deviation = this.layout.isVarianceItself ? variance?.sqrt() : variance?.multiply(varianceSpread).exp();
    const z = deviation ? noise?.multiply(deviation) : noise;
    const given = Array.from({ length: numbers }, (_, i) => rest.given.slice(0, i, i + 1).reshape([]));
    const atHand = transformed({ x, x0: xStart, z, memory: this.#memory.map(valueOf) }, transform, given);
    // In the order of `factors`.
    const [ofX, ofX0, ...others] = atHand;
    const values = [ofX, ofX0, this.layout.usesPredicted ? predicted : undefined, ...others];
    const factor = (row: number, column: number): Tensor =>
      factors
        .slice(0, row, row + 1)
        .slice(1, column, column + 1)
        .reshape([]);
    const next = [this.#x, ...this.#memory].map((variable, row) => {
      const terms = values.map((value, column) => value?.multiply(factor(row, column)));
      return { variable, value: terms.filter((term) => term !== undefined).reduce((a, b) => a.add(b)) };
    });
    if (this.#known && noise) {
      const known = valueOf(this.#known.images).multiply(of.ofKnown).add(noise.multiply(of.ofKnownNoise));
      const isUnknown = valueOf(this.#known.mask).compare("gt", 0).broadcastTo(shape);
      next[0].value = isUnknown.select(next[0].value, known);
    }
    const answers = [prediction, variance, gradient].filter((answer) => answer !== undefined);
    const magnitude = answers.reduce<Tensor>(
      (sum, answer) => sum.add(answer.abs().mean([1, 2, 3])),
      valueOf(this.#magnitude),
    );
    return [...next, { variable: this.#xStart, value: xStart }, { variable: this.#magnitude, value: magnitude }];
  }

  /** What the network says of x, under guidance. */
  #output(x: Tensor, t: Tensor, condScale: Tensor, rescaledPhi: Tensor): ModelOutput {
    const { process, model, guidance } = this.layout;
    const declared = model.conditions ?? {};
    const estimates = declaredWhere(declared, ({ source }) => source === "estimate");
    const all: Conditions = {
      ...Object.fromEntries([...this.#conditions].map(([name, variable]) => [name, valueOf(variable)])),
      ...Object.fromEntries(estimates.map((name) => [name, valueOf(this.#xStart)])),
    };
    const conditional = process.modelOutput(model, x, t, all);
    if (!guidance.isGuided) return conditional;
    // Guidance leads away from images of any kind, but of the same in less resolution.
    const fixed = declaredWhere(declared, ({ nullable }) => !nullable);
    const always = Object.fromEntries(fixed.map((name) => [name, all[name]]));
    const unconditional = process.modelOutput(model, x, t, always);
    const [asked, plain] = [conditional.prediction, unconditional.prediction];
    return { ...conditional, prediction: guidedPrediction(asked, plain, condScale, rescaledPhi) };
  }

  #classGradient(x: Tensor, t: Tensor): Tensor | undefined {
    const [{ classifier }, classes] = [this.layout, this.#classes];
    return classifier && classes && classGradient(classifier, x, t, valueOf(classes));
  }
}

/** x, x0, z and the memory. */
function transformed(
  { z, ...rest }: Omit<AtHand, "z"> & { readonly z: Tensor | undefined },
  transform: Transform | undefined,
  numbers: readonly Tensor[],
): (Tensor | undefined)[] {
  if (!transform) return [rest.x, rest.x0, z, ...rest.memory];
  if (!z) throw new Error("internal: a step with a transform has no noise");
  const { x, x0, z: changed, memory } = transform({ ...rest, z }, numbers);
  return [x, x0, changed, ...memory];
}

function variableLike(name: string, { shape, dtype }: NdArray): Variable {
  return new Variable(name, shape, { dtype });
}

function sameShapes(a: ConditionArrays, b: ConditionArrays): boolean {
  const [names, others] = [Object.keys(a), Object.keys(b)];
  return names.length === others.length && names.every((name) => b[name] && sameShape(a[name].shape, b[name].shape));
}
