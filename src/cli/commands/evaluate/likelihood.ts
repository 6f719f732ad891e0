import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { check } from "../../../config/rules.ts";
import { imagesFingerprint } from "../../../evaluation/content-fingerprint.node.ts";
import { readJson } from "../../../io/json.node.ts";
import { SampleSource } from "./sample-source.ts";
import { bitsPerDim } from "../../../diffusion/objectives/bits-per-dim.ts";
import type { BitsPerDim } from "../../../diffusion/objectives/bits-per-dim.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { representativeImages } from "../../../evaluation/dataset-batches.ts";
import { writeFileAtomic } from "../../../io/atomic.node.ts";
import { fromBytes } from "../../../io/images/pixels.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import { diffusionFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import { describeDevice, withDevice } from "../../flags/device.ts";
import { wayOf } from "../../flags/drawing/way.ts";
import type { EvaluateFlags } from "./flags.ts";
import { formatCount } from "../../output/format.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import { launcher } from "../../ranks/ranks.ts";
import { print, printText } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import { openReferenceData } from "./reference-data.ts";
import { checkPlace } from "../../output/targets.ts";

/** What is measured: another report than of these settings is never overwritten. */
const likelihoodSettings = z.strictObject({
  /** Fingerprints of the model and of the images. */
  model: z.string(),
  images: z.string(),
  dataset: z.string(),
  seed: z.number(),
});

/** What is said of the likelihood of images, in bits per dimension. */
const likelihoodReport = z.strictObject({
  settings: likelihoodSettings,
  bitsPerDim: z.number(),
  /** Of the mean over the images. */
  standardError: z.number(),
  prior: z.number(),
  /** L_t by timestep; the first is the likelihood of the bytes. */
  terms: z.array(z.number()),
  images: z.number(),
  dataset: z.string(),
});
type LikelihoodReport = z.infer<typeof likelihoodReport>;

const NO_SAMPLES = "--nll draws no samples: leave the flags for them away";

/**
 * Measures how likely a model makes images that it has not learned from.
 *
 * @returns the exit code
 */
export async function likelihoodRun(flags: EvaluateFlags, count: number): Promise<number> {
  const say = flags.json === true ? (): void => {} : print;
  for (const name of ["images", "sampler", "steps", "out", "imageSize", "resize", "guidance", "features"] as const) {
    if (flags[name] !== undefined) throw new Error(NO_SAMPLES);
  }
  if (Object.values(wayOf(flags)).some((value) => value !== undefined)) throw new Error(NO_SAMPLES);
  if (launcher !== undefined)
    throw new Error(`--nll: runs in one process, ${launcher.name} has started ${launcher.size}`);
  if (typeof flags.json === "string") await checkPlace(flags.json);
  const source = await SampleSource.open(flags, say);
  const { found } = source;
  const diffusion = diffusionFromCheckpoint(found.checkpoint);
  if (!(diffusion instanceof GaussianDiffusion))
    throw new Error("--nll: needs a model with timesteps, this one has none");
  const { model } = source;
  const dataset = await openReferenceData({ ...flags, split: flags.split ?? "test" }, found, source, say);
  const { indices, images } = await representativeImages(dataset, count);
  const classes = model.numClasses > 0 && dataset.labels ? indicesOf(dataset.labels, indices) : undefined;
  say(`data    ${dataset.name}: ${formatCount(indices.length)} images of ${formatCount(dataset.length)}`);
  const settings = {
    model: await source.fingerprint(),
    images: imagesFingerprint(images),
    dataset: dataset.name,
    seed: flags.seed,
  };
  if (typeof flags.json === "string") await checkIsOurs(flags.json, settings);

  const interrupt = catchInterrupt(() => say("Stopping after this step."));
  const measured = await withDevice(flags, async (backend) => {
    say(`device  ${describeDevice(backend)}`);
    const bar =
      flags.json === true ? undefined : await progressBar(diffusion.timesteps * Math.ceil(indices.length / BATCH));
    try {
      const values = new Float32Array(images.data.length);
      fromBytes(images.data, values);
      const onStep = ({ step }: { readonly step: number }): void => bar?.show(step);
      const { signal } = interrupt;
      return await bitsPerDim(diffusion, model, ndarray(values, images.shape), {
        batchSize: BATCH,
        classes,
        seed: flags.seed,
        backend,
        onStep,
        signal,
      });
    } catch (error) {
      if (interrupt.signal.aborted) return undefined;
      throw error;
    } finally {
      bar?.stop();
      interrupt.release();
    }
  });
  if (!measured) return EXIT_INTERRUPTED;
  await tell(reportOf(measured, settings), flags, say);
  return 0;
}

/** Images that go through the network at a time. */
const BATCH = 64;

/** @throws Error of one line if there is a file that measuring the same would not have written */
async function checkIsOurs(path: string, settings: LikelihoodReport["settings"]): Promise<void> {
  if (!existsSync(path)) return;
  const advice = "would be overwritten: name another file";
  const known = check(likelihoodReport, await readJson(path), `${path}: not a report of evaluate --nll, and ${advice}`);
  for (const [name, value] of Object.entries(settings)) {
    const there = known.settings[name as keyof typeof settings];
    if (there !== value) throw new Error(`${path}: a report of ${name} ${there}, now it is ${value}, ${advice}`);
  }
}

function reportOf({ total, prior, terms }: BitsPerDim, settings: LikelihoodReport["settings"]): LikelihoodReport {
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const average = mean(total);
  if (!Number.isFinite(average)) throw new Error(`--nll: the bound is ${average}: is the model damaged?`);
  const variance = mean(total.map((value) => (value - average) ** 2));
  return {
    settings,
    bitsPerDim: average,
    standardError: Math.sqrt(variance / Math.max(1, total.length - 1)),
    prior: mean(prior),
    terms: [...terms],
    images: total.length,
    dataset: settings.dataset,
  };
}

async function tell(report: LikelihoodReport, { json }: EvaluateFlags, say: (line: string) => void): Promise<void> {
  const { bitsPerDim, standardError, prior, terms } = report;
  const steps = terms.slice(1).reduce((sum, term) => sum + term, 0);
  say("");
  say(`${bitsPerDim.toFixed(3)} ± ${standardError.toFixed(3)} bits per dimension at most, of which`);
  say(`  ${terms[0].toFixed(3)} the bytes, given the least noisy images`);
  say(`  ${steps.toFixed(3)} the steps to those from noise`);
  say(`  ${prior.toFixed(3)} what the noisiest images still show`);
  const text = JSON.stringify(report, undefined, 2);
  if (json === true) printText(text);
  if (typeof json !== "string") return;
  await writeFileAtomic(json, `${text}\n`);
  say(`wrote ${json}, with the share of every timestep`);
}

function indicesOf(labels: ArrayLike<number>, indices: Uint32Array): number[] {
  return Array.from(indices, (index) => labels[index]);
}
