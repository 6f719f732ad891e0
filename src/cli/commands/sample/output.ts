import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Samples } from "../../../diffusion/sampling/sampling.ts";
import { fileError } from "../../../io/file-errors.node.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { BATCH } from "../../output/draw-batches.ts";
import { checkGridSize, writeAnimation, writeGrid } from "../../output/pictures.ts";
import type { GridLayout } from "../../output/pictures.ts";
import {
  animationTarget,
  checkPictureDirectory,
  checkPlaces,
  isPictureName,
  pictureTarget,
} from "../../output/targets.ts";
import type { Targets } from "../../output/targets.ts";

export interface OutputFlags {
  /** Images in a row; true leaves that open, false writes one file per image. */
  readonly grid: number | boolean;
  /** True for a name that follows from the picture's. */
  readonly gif?: string | boolean;
  readonly scale?: number;
  readonly out?: string;
}

/** What will be drawn. */
export interface Planned {
  readonly number: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Columns of a grid, where classes ask for a number of them. */
  readonly columns?: number | undefined;
  /** Of the animation. */
  readonly frames: number;
}

/** Where drawn images go. */
export interface Output {
  /** Whether it shows the steps on the way to the images of the first batch. */
  readonly animates: boolean;
  /** @throws Error of one line if what is planned cannot be written */
  prepare(planned: Planned, say: (line: string) => void): Promise<void>;
  add(batch: Samples): Promise<void>;
  /** Writes what is left to write, and returns the names of what was written. */
  finish(): Promise<string[]>;
}

/** @throws Error of one line if the flags do not go together, or a place cannot be written */
export async function outputOf(flags: OutputFlags, seed: number): Promise<Output> {
  const { grid, gif, out, scale } = flags;
  if (grid === false) {
    if (gif !== undefined && gif !== false) throw new Error("--gif shows a grid: leave --no-grid away");
    return new SingleImages(out ?? `samples-${seed}`, scale);
  }
  const picture = pictureTarget(out ?? `samples-${seed}.png`, "; with --no-grid it is a directory");
  const targets = { picture, animation: animationTarget(picture, gif) };
  await checkPlaces(targets);
  return new Grid(targets, { columns: typeof grid === "number" ? grid : undefined, scale });
}

/** All images in one picture. */
class Grid implements Output {
  readonly #targets: Targets;
  readonly #layout: GridLayout;
  readonly #batches: Samples[] = [];
  #columns: number | undefined;

  constructor(targets: Targets, layout: GridLayout) {
    this.#targets = targets;
    this.#layout = layout;
  }

  get animates(): boolean {
    return this.#targets.animation !== undefined;
  }

  prepare({ number, height, width, channels, columns, frames }: Planned): Promise<void> {
    this.#columns = this.#layout.columns ?? columns;
    const shape = [number, height, width, channels];
    checkGridSize(this.#targets.picture, shape, this.#laidOut());
    if (this.#targets.animation !== undefined) {
      if (number > BATCH) throw new Error(`--gif shows at most ${BATCH} images, got ${number}: ask for fewer with -n`);
      checkGridSize(this.#targets.animation, shape, this.#laidOut(), frames);
    }
    return Promise.resolve();
  }

  add(batch: Samples): Promise<void> {
    this.#batches.push(batch);
    return Promise.resolve();
  }

  async finish(): Promise<string[]> {
    const [first] = this.#batches;
    const { picture, animation } = this.#targets;
    if (first === undefined) return [];
    await writeGrid(picture, joined(this.#batches), this.#laidOut());
    if (animation === undefined) return [picture];
    await writeAnimation(
      animation,
      first.steps.map((step) => step.images),
      this.#laidOut(),
    );
    return [picture, animation];
  }

  #laidOut(): GridLayout {
    return { ...this.#layout, columns: this.#columns };
  }
}

/** Every image in a file of its own, as soon as it is drawn. */
class SingleImages implements Output {
  readonly animates = false;
  readonly #directory: string;
  readonly #scale: number;
  #digits = 1;
  #written = 0;

  constructor(directory: string, scale = 1) {
    if (isPictureName(directory)) {
      throw new Error(`--no-grid writes a file per image into the directory --out, got the picture ${directory}`);
    }
    this.#directory = directory;
    this.#scale = scale;
  }

  async prepare({ number, height, width, channels }: Planned, say: (line: string) => void): Promise<void> {
    this.#digits = String(number - 1).length;
    const names = Array.from({ length: number }, (_, i) => this.#nameOf(i));
    checkGridSize(join(this.#directory, names[0]), [1, height, width, channels], { scale: this.#scale, padding: 0 });
    const older = await checkPictureDirectory(this.#directory, names);
    if (older !== undefined) say(older);
  }

  async add({ data, shape: [count, ...shape], dtype }: Samples): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true });
    } catch (error) {
      throw fileError(this.#directory, "write", error);
    }
    const size = data.length / count;
    for (let i = 0; i < count; i++) {
      const image: NdArray = { dtype, shape: [1, ...shape], data: data.subarray(i * size, (i + 1) * size) };
      const path = join(this.#directory, this.#nameOf(this.#written));
      await writeGrid(path, image, { scale: this.#scale, padding: 0 });
      this.#written++;
    }
  }

  finish(): Promise<string[]> {
    return Promise.resolve(this.#written === 0 ? [] : [this.#directory]);
  }

  #nameOf(image: number): string {
    return `${String(image).padStart(this.#digits, "0")}.png`;
  }
}

function joined(batches: readonly NdArray[]): NdArray {
  const [, ...shape] = batches[0].shape;
  const data = new Float32Array(batches.reduce((sum, batch) => sum + batch.data.length, 0));
  let at = 0;
  for (const batch of batches) {
    data.set(batch.data, at);
    at += batch.data.length;
  }
  return { dtype: "f32", shape: [batches.reduce((sum, batch) => sum + batch.shape[0], 0), ...shape], data };
}
