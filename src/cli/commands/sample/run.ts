import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Backend } from "../../../backend/backend.ts";
import type { SamplerName } from "../../../diffusion/samplers/plan.ts";
import type { Samples } from "../../../diffusion/sampling/sampling.ts";
import type { TimestepSpacing } from "../../../diffusion/process/timestep-spacing.ts";
import { fileError } from "../../../io/file-errors.node.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import type { LatestCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { openEdits } from "../../flags/editing.ts";
import type { EditingFlags, Edits } from "../../flags/editing.ts";
import { wantedOf } from "../../flags/guiding.ts";
import type { GuidingFlags, Wanted } from "../../flags/guiding.ts";
import { animationSteps, writeAnimation, writeGrid } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";
import { animationTarget, checkPlaces, pictureTarget } from "../../output/targets.ts";
import type { Targets } from "../../output/targets.ts";

export interface SampleFlags extends DeviceFlags, EditingFlags, GuidingFlags {
  readonly checkpoint?: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly sampler?: SamplerName;
  readonly timestepSpacing?: TimestepSpacing;
  readonly eta?: number;
  /** Images in a row; true leaves that open, false writes one file per image. */
  readonly grid: number | boolean;
  /** True for a name that follows from the picture's. */
  readonly gif?: string | boolean;
  readonly scale?: number;
  readonly out?: string;
  readonly ema: boolean;
}

/** Images that are drawn at a time; more would only take more memory. */
const BATCH = 64;

/** Draws images and writes them. */
export async function sampleRun(flags: SampleFlags): Promise<void> {
  const seed = flags.seed ?? Math.floor(Math.random() * 2 ** 32);
  const target = targetsOf(flags, seed);
  await checkPlaces(target);
  const knowsClasses = flags.class !== undefined && flags.classifier === undefined;
  const found = await announcedCheckpoint(flags.checkpoint, { knowsClasses });
  const wanted = await wantedOf(flags, found.checkpoint);
  const edits = await openEdits(flags, found.checkpoint.config.dataset);
  const batches = await withDevice(flags, (backend) => draw(flags, wanted, edits, seed, found, backend));
  await write(flags, target, batches, typeof flags.grid === "number" ? flags.grid : wanted.columns);
  print(`seed ${seed}`);
}

/** Where to write. Names that cannot work are refused before anything is drawn. */
function targetsOf({ grid, gif, out, number }: SampleFlags, seed: number): Targets {
  const picture = out ?? (grid === false ? `samples-${seed}` : `samples-${seed}.png`);
  if (grid !== false) pictureTarget(picture, "; with --no-grid it is a directory");
  const animation = animationTarget(picture, gif);
  if (animation === undefined) return { picture, animation };
  if (grid === false) throw new Error("--gif shows a grid: leave --no-grid away");
  if (number !== undefined && number > BATCH)
    throw new Error(`--gif shows at most ${BATCH} images, -n asks for ${number}`);
  return { picture, animation };
}

/** One result for each {@link BATCH} images; each batch has a seed of its own. */
async function draw(
  flags: SampleFlags,
  wanted: Wanted,
  edits: Edits,
  seed: number,
  found: LatestCheckpoint,
  backend: Backend,
): Promise<Samples[]> {
  const { height, width } = found.checkpoint.config.dataset;
  const diffusion = diffusionFromCheckpoint(found.checkpoint);
  const model = await modelFromCheckpoint(found.checkpoint, { ema: flags.ema });
  const { steps, sampler, eta, timestepSpacing, gif } = flags;
  const { number, classes, guidance } = wanted;
  const way = { steps, sampler, eta, timestepSpacing, ...guidance, ...edits };
  const all = diffusion.plan(way).steps.length;
  const batchCount = Math.ceil(number / BATCH);
  const bar = await progressBar(all * batchCount);
  const batches: Samples[] = [];
  try {
    for (let batch = 0; batch < batchCount; batch++) {
      batches.push(
        await diffusion.sample(model, {
          batchSize: Math.min(BATCH, number - batch * BATCH),
          classes: classes?.slice(batch * BATCH, (batch + 1) * BATCH),
          imageSize: [height, width],
          seed: (seed + batch) % 2 ** 32,
          ...way,
          backend,
          returnSteps: gif === undefined || gif === false ? [] : animationSteps(all),
          onStep: ({ step }) => bar.show(batch * all + step),
        }),
      );
    }
  } finally {
    bar.stop();
  }
  return batches;
}

async function write(
  flags: SampleFlags,
  { picture, animation }: Targets,
  batches: readonly Samples[],
  columns: number | undefined,
): Promise<void> {
  const layout = { columns, scale: flags.scale };
  const images = joined(batches);
  if (flags.grid === false) await writeSingly(picture, images, flags.scale);
  else await writeGrid(picture, images, layout);
  print(`wrote ${picture}`);
  if (animation === undefined) return;
  await writeAnimation(
    animation,
    batches[0].steps.map((step) => step.images),
    layout,
  );
  print(`wrote ${animation}`);
}

async function writeSingly(directory: string, images: NdArray, scale = 1): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw fileError(directory, "write", error);
  }
  const [count, ...shape] = images.shape;
  const size = images.data.length / count;
  const digits = String(count - 1).length;
  for (let i = 0; i < count; i++) {
    const image: NdArray = { ...images, shape: [1, ...shape], data: images.data.subarray(i * size, (i + 1) * size) };
    await writeGrid(join(directory, `${String(i).padStart(digits, "0")}.png`), image, { scale, padding: 0 });
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
