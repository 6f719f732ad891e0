import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { writeFileAtomic } from "../../../io/atomic.node.ts";
import { readJson } from "../../../io/json.node.ts";
import { check, withDefault } from "../../../config/rules.ts";

/** Null where nothing could be measured. */
const measured = z.nullable(z.number());
const inBothSpaces = z.strictObject({ features: measured, pixels: measured });

/** One evaluation. */
const evaluationRow = z.strictObject({
  /** None for images that were there. */
  sampler: z.nullable(z.string()),
  steps: z.nullable(z.number()),
  /** Evaluations of the network per image. */
  evaluations: z.nullable(z.number()),
  /** Seconds that 64 samples took. */
  secondsFor64: z.nullable(z.number()),
  images: z.number(),
  fid: measured,
  kid: measured,
  kidStd: measured,
  precision: measured,
  recall: measured,
  novelty: inBothSpaces,
  /** Of a model with classes: the share of each class's samples that the classifier calls so. */
  classShares: z.optional(z.record(z.string(), z.number())),
});
export type EvaluationRow = z.infer<typeof evaluationRow>;

/** What all rows of a report have in common: rows of other settings do not compare. */
const evaluationSettings = z.strictObject({
  /** What is evaluated: a model by its fingerprint, or a path of images. */
  samples: z.string(),
  /** Of the model or of all images. */
  samplesFingerprint: z.string(),
  imageSize: z.string(),
  reference: z.string(),
  /** Of all images of the dataset. */
  referenceFingerprint: z.string(),
  referenceImages: z.number(),
  features: z.string(),
  number: z.number(),
  seed: z.number(),
  timestepSpacing: z.nullable(z.string()),
  eta: z.nullable(z.number()),
  /** Other options of samplers, as JSON; there were none in older reports. */
  samplerOptions: withDefault(z.nullable(z.string()), null),
  guidance: z.nullable(z.number()),
  device: z.string(),
});
export type EvaluationSettings = z.infer<typeof evaluationSettings>;

export const evaluationReport = z.strictObject({ settings: evaluationSettings, rows: z.array(evaluationRow) });

/** Rows of evaluations, kept in a file as they come if there is one. */
export class EvaluationReport {
  readonly settings: EvaluationSettings;
  readonly #path: string | undefined;
  readonly #rows: EvaluationRow[];

  private constructor(settings: EvaluationSettings, path: string | undefined, rows: EvaluationRow[]) {
    this.settings = settings;
    this.#path = path;
    this.#rows = rows;
  }

  /**
   * Goes on with the rows of a file that is there.
   *
   * @throws Error of one line if the file is something else, or of other settings
   */
  static async open(settings: EvaluationSettings, path?: string): Promise<EvaluationReport> {
    if (path === undefined || !existsSync(path)) return new EvaluationReport(settings, path, []);
    const known = check(evaluationReport, await readJson(path), `${path}: not a report that can be gone on with`);
    for (const [name, value] of Object.entries(settings)) {
      const there = known.settings[name as keyof EvaluationSettings];
      if (there !== value) {
        throw new Error(`${path}: its rows are of ${name} ${there}, now it is ${value}: name another file`);
      }
    }
    return new EvaluationReport(settings, path, known.rows);
  }

  get rows(): readonly EvaluationRow[] {
    return this.#rows;
  }

  /** The row of a sampler and its steps, or of images that were there. */
  find(sampler: string | null, steps: number | null): EvaluationRow | undefined {
    return this.#rows.find((row) => row.sampler === sampler && row.steps === steps);
  }

  async add(row: EvaluationRow): Promise<void> {
    this.#rows.push(row);
    if (this.#path !== undefined) await writeFileAtomic(this.#path, `${this.toJson()}\n`);
  }

  toJson(): string {
    return JSON.stringify({ settings: this.settings, rows: this.#rows }, undefined, 2);
  }
}
