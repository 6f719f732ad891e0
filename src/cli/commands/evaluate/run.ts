import type { Backend } from "../../../backend/backend.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { evaluateSamples } from "../../../evaluation/evaluate-samples.ts";
import type { Evaluation } from "../../../evaluation/evaluate-samples.ts";
import { cachedReference } from "../../../evaluation/features/feature-cache.node.ts";
import { FeatureExtractor } from "../../../evaluation/features/feature-extractor.ts";
import { datasetFingerprint, imagesFingerprint } from "../../../evaluation/content-fingerprint.node.ts";
import { fingerprint } from "../../../evaluation/fingerprint.ts";
import { neighbourImages } from "../../../evaluation/metrics/neighbour-images.ts";
import type { Reference } from "../../../evaluation/reference.ts";
import { fromBytes } from "../../../io/images/pixels.ts";
import type { ImageBatch } from "../../../io/images/pixels.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import { classShares } from "./class-shares.ts";
import { samplerOptionsOf } from "../../flags/drawing/sampler-options.ts";
import { describeDevice, withDevice } from "../../flags/device.ts";
import type { EvaluateFlags } from "./flags.ts";
import { EvaluationReport } from "./report.ts";
import type { EvaluationRow, EvaluationSettings } from "./report.ts";
import { EvaluationTable } from "./table.ts";
import { openFeatures } from "./feature-file.ts";
import { formatCount } from "../../output/format.ts";
import { givenImages } from "./given-images.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../../interrupt.ts";
import { joinRanks } from "../../ranks/ranks.ts";
import type { Ranks } from "../../ranks/ranks.ts";
import { assist, callAssistants } from "./assistant.ts";
import { writeGrid } from "../../output/pictures.ts";
import { classesToDraw } from "./classes-to-draw.ts";
import { print, printText } from "../../output/print.ts";
import { progressBar } from "../../output/progress.ts";
import { openReferenceData } from "./reference-data.ts";
import { SampleSource, StoppedElsewhere } from "./sample-source.ts";
import type { SampleWay } from "./sample-source.ts";
import { checkPlace, pictureTarget } from "../../output/targets.ts";

/** @returns the exit code */
export async function evaluateRun(flags: EvaluateFlags): Promise<number> {
  const ranks = await joinRanks();
  if (ranks.size > 1 && flags.images !== undefined) {
    throw new Error(`--images: is evaluated in one process, there are ${ranks.size}`);
  }
  if (ranks.rank !== 0) return assist(flags, ranks);
  const say = flags.json === true ? (): void => {} : print;
  await checkFlags(flags);
  const source = flags.images === undefined ? await SampleSource.open(flags, say) : undefined;
  const given = flags.images === undefined ? undefined : await givenImages(flags.images, flags.skipBroken);
  const compared = source ?? { imageSize: given?.imageSize };
  const dataset = await openReferenceData({ ...flags, split: flags.split ?? "train" }, source?.found, compared, say);
  say(`data    ${dataset.name}: ${formatCount(dataset.length)} images from ${dataset.source}`);
  const images = await given?.readAs(dataset, flags.resize ?? false);
  return withDevice(flags, async (backend) => {
    const extractor = new FeatureExtractor(await openFeatures(flags.features, dataset, backend), backend);
    say(`device  ${describeDevice(backend)}`);
    say(`compare ${extractor.network.featureCount} features of the ${extractor.network.name}`);
    const content = await datasetFingerprint(dataset);
    const reference = await openReference(dataset, content, extractor, flags, say);
    const run: Run = { flags, reference, content, extractor, say, ranks };
    if (images && flags.images !== undefined) return evaluateImages(run, flags.images, images);
    if (source) {
      const code = await evaluateModel(run, source, backend);
      await callAssistants(ranks, null);
      return code;
    }
    throw new Error("internal: nothing to evaluate");
  });
}

/** Everything that an evaluation works with. */
interface Run {
  readonly flags: EvaluateFlags;
  readonly reference: Reference;
  /** Fingerprint of the reference's images. */
  readonly content: string;
  readonly extractor: FeatureExtractor;
  readonly say: (line: string) => void;
  /** The processes that share the drawing. */
  readonly ranks: Ranks;
}

/** Refuses at once what cannot end well. */
async function checkFlags(flags: EvaluateFlags): Promise<void> {
  const { images, checkpoint, sampler, steps, imageSize, resize, out, json } = flags;
  if (images === undefined && resize) throw new Error("--resize: is for --images");
  if (images !== undefined && imageSize !== undefined) {
    throw new Error("--image-size: is for samples; --resize scales and cuts --images to the size of the dataset's");
  }
  if (images !== undefined && (checkpoint ?? sampler ?? steps) !== undefined) {
    throw new Error("--images evaluates pictures that are there: leave --checkpoint, --sampler and --steps away");
  }
  const pairs = (sampler?.length ?? 1) * (steps?.length ?? 1);
  if (out !== undefined && pairs > 1) {
    throw new Error(`--out shows the samples of one sampler and number of steps, got ${pairs} pairs of them`);
  }
  if (out !== undefined) await checkPlace(pictureTarget(out));
  if (typeof json === "string") await checkPlace(json);
}

async function openReference(
  dataset: ImageDataset,
  content: string,
  extractor: FeatureExtractor,
  flags: EvaluateFlags,
  say: (line: string) => void,
): Promise<Reference> {
  const bar = flags.json === true ? undefined : await progressBar(dataset.length, "image");
  try {
    return await cachedReference(dataset, extractor, { content, onProgress: (done) => bar?.show(done), log: say });
  } finally {
    bar?.stop();
  }
}

async function evaluateModel(run: Run, source: SampleSource, backend: Backend): Promise<number> {
  const { flags, say } = run;
  const ways = source.ways(flags);
  const { labels, name } = run.reference.dataset;
  if (source.numClasses > 0 && labels === undefined) say(`classes ${name} has no labels: each is drawn equally often`);
  const weights = await source.fingerprint();
  const settings = await settingsOf(run, { path: weights, fingerprint: weights }, flags.number);
  const report = await EvaluationReport.open(settings, fileOf(flags));
  const table = new EvaluationTable(say);
  const interrupt = catchInterrupt(() => say(`Stopping after this ${run.ranks.size > 1 ? "batch" : "step"}.`));
  try {
    for (const way of ways) {
      const known = report.find(way.sampler, way.steps);
      if (known === undefined) await report.add(await evaluateWay(run, source, way, backend, interrupt.signal));
      table.add(known ?? report.rows[report.rows.length - 1]);
    }
  } catch (error) {
    if (!interrupt.signal.aborted && !(error instanceof StoppedElsewhere)) throw error;
    if (typeof flags.json === "string") say(`Stopped. The same command goes on with what is not in ${flags.json} yet.`);
    return EXIT_INTERRUPTED;
  } finally {
    interrupt.release();
  }
  if (flags.json === true) printText(report.toJson());
  return 0;
}

async function evaluateWay(
  run: Run,
  source: SampleSource,
  way: SampleWay,
  backend: Backend,
  signal: AbortSignal,
): Promise<EvaluationRow> {
  const { ranks } = run;
  const { number, seed, json } = run.flags;
  const classes = classesToDraw(run.reference.dataset, source.numClasses, number);
  const bar =
    json === true ? undefined : await progressBar(source.evaluations(way, number, ranks), `${way.sampler} step`);
  await callAssistants(ranks, { way, options: { number, seed, classes } });
  const drawn = await source
    .draw(way, { number, seed, classes, backend, signal, onStep: (done) => bar?.show(done) }, ranks)
    .finally(() => bar?.stop());
  const evaluation = await evaluateSamples(drawn.images, run.reference, run.extractor);
  await writePicture(run, drawn.images, evaluation);
  const { sampler, steps, evaluations } = way;
  const { network } = run.extractor;
  const shares = await classShares(network, backend, drawn.images, classes, run.reference.dataset.classNames);
  const { secondsFor64 } = drawn;
  return { sampler, steps, evaluations, secondsFor64, ...numbersOf(evaluation), classShares: shares };
}

async function evaluateImages(run: Run, path: string, images: ImageBatch<Uint8Array>): Promise<number> {
  const { reference, extractor, flags, say } = run;
  const settings = await settingsOf(run, { path, fingerprint: imagesFingerprint(images) }, images.shape[0]);
  const report = await EvaluationReport.open(settings, fileOf(flags));
  const none = { sampler: null, steps: null, evaluations: null, secondsFor64: null };
  const known = report.find(null, null);
  if (known === undefined || flags.out !== undefined) {
    const evaluation = await evaluateSamples(images, reference, extractor);
    await writePicture(run, images, evaluation);
    if (known === undefined) await report.add({ ...none, ...numbersOf(evaluation) });
  }
  if (flags.json === true) printText(report.toJson());
  const table = new EvaluationTable(say);
  for (const row of report.rows) table.add(row);
  return 0;
}

function fileOf({ json }: EvaluateFlags): string | undefined {
  return typeof json === "string" ? json : undefined;
}

function numbersOf({ images, fid, kid, kidStd, precision, recall, novelty }: Evaluation) {
  return {
    images,
    fid: measured(fid),
    kid: measured(kid),
    kidStd: measured(kidStd),
    precision: measured(precision),
    recall: measured(recall),
    novelty: { features: measured(novelty.features), pixels: measured(novelty.pixels) },
  };
}

/** Null where nothing could be measured, as JSON has it: novelty among equal images, a deviation of one value. */
function measured(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

async function settingsOf(
  { flags, reference, content, extractor }: Run,
  samples: { readonly path: string; readonly fingerprint: string },
  number: number,
): Promise<EvaluationSettings> {
  const { dataset } = reference;
  const samplerOptions = samplerOptionsOf(flags);
  return {
    samples: samples.path,
    samplesFingerprint: samples.fingerprint,
    imageSize: `${dataset.width} x ${dataset.height}`,
    reference: dataset.name,
    referenceFingerprint: content,
    referenceImages: dataset.length,
    features: `${extractor.network.name} ${await fingerprint(extractor.network)}`,
    number,
    seed: flags.seed,
    timestepSpacing: flags.timestepSpacing ?? null,
    eta: flags.eta ?? null,
    samplerOptions: Object.keys(samplerOptions).length === 0 ? null : JSON.stringify(samplerOptions),
    guidance: flags.guidance ?? null,
    device: extractor.backend.description,
  };
}

async function writePicture(
  { flags, reference, say }: Run,
  images: ImageBatch<Uint8Array>,
  evaluation: Evaluation,
): Promise<void> {
  if (flags.out === undefined) return;
  const { data, shape } = await neighbourImages(images, evaluation, reference.dataset);
  await writeGrid(flags.out, ndarray(fromBytes(data), shape), { columns: shape[0] / 3 });
  say(`wrote ${flags.out}: samples, under each the image nearest to it by its features, and by its pixels`);
}
