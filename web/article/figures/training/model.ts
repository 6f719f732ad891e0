import { GaussianDiffusion, Trainer, Unet, encodeCheckpoint, memoryDataset, serializeSafetensors } from "unnoise";
import type { Backend, NdArray, TrainerOptions } from "unnoise";
import { SMALL_SIDE } from "../common/garment-sizes.ts";

/** What the network and its trainer are told, apart from the images: the same in the page, the copied code and the tests. */
export function trainingOptions(seed: number) {
  return {
    batchSize: 16,
    learningRate: 6e-3,
    warmupSteps: 20,
    emaDecay: 0.97,
    emaUpdateEvery: 1,
    seed,
  } as const satisfies Partial<TrainerOptions>;
}

/** It answers with the clean picture: a network as small as this one finds shapes sooner than noise. */
export const smallDiffusion = () =>
  new GaussianDiffusion({ timesteps: 300, betaSchedule: "cosine", objective: "predX0" });

export function smallUnet(seed: number): Unet {
  return new Unet({ dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 1, seed });
}

/** A tiny U-Net that learns small garments of one kind, as long as one likes. */
export class GarmentLearner {
  readonly trainer: Trainer<Unet>;
  readonly losses: number[] = [];
  readonly #diffusion = smallDiffusion();
  readonly #backend: Backend;

  /** @param images bytes of garments of {@link SMALL_SIDE}, one after the other */
  constructor(backend: Backend, images: Uint8Array, seed: number) {
    const shape = [images.length / SMALL_SIDE ** 2, SMALL_SIDE, SMALL_SIDE, 1];
    this.#backend = backend;
    this.trainer = new Trainer({
      model: smallUnet(seed),
      diffusion: this.#diffusion,
      dataset: memoryDataset({ name: "small garments", images, shape }),
      backend,
      ...trainingOptions(seed),
    });
  }

  /**
   * Trains up to a step, and waits after each for what is given.
   *
   * @param afterEach may throw, which ends the run after the step that is done
   */
  async train(steps: number, afterEach: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    for await (const { loss } of this.trainer.run({ steps })) {
      this.losses.push(loss);
      await afterEach();
    }
  }

  /** What the averaged weights draw by now, [count, 14, 14, 1]; from the same noise each time. */
  sample(count: number, signal?: AbortSignal): Promise<NdArray> {
    return this.#diffusion.sample(this.trainer.samplingModel, {
      backend: this.#backend,
      batchSize: count,
      imageSize: SMALL_SIDE,
      seed: 1,
      steps: 10,
      sampler: "dpmSolver++2M",
      timestepSpacing: "karras",
      ...(signal && { signal }),
    });
  }

  /** A file with which `unnoise sample --checkpoint` draws. */
  async file(): Promise<Uint8Array<ArrayBuffer>> {
    const { tensors, metadata } = await encodeCheckpoint(await this.trainer.checkpoint());
    return Uint8Array.from(serializeSafetensors(tensors, metadata));
  }

  dispose(): void {
    this.trainer.dispose();
    this.#diffusion.dispose();
  }
}
