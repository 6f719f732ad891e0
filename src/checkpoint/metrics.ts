import * as z from "zod/mini";

/** One line of metrics.jsonl. */
export const metricsLine = z.object({
  /** Steps done, from 1. */
  step: z.int().check(z.gte(1)),
  /** The pass over the dataset that the step belongs to, from 1. */
  epoch: z.int().check(z.gte(1)),
  loss: z.number(),
  learningRate: z.number(),
  imagesPerSecond: z.number(),
  /** The loss of the images that are held out, after the step. */
  validationLoss: z.optional(z.number()),
});

export type MetricsLine = z.infer<typeof metricsLine>;

/** The whole lines of a metrics.jsonl. */
export function metricsOf(text: string): MetricsLine[] {
  return text.split("\n").flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): MetricsLine | undefined {
  try {
    return metricsLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
