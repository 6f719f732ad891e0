import { describe, expect, test } from "vitest";
import { inProcessCollectives } from "../../../test/support/in-process-collective.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { SampleOptions } from "../../diffusion/sampling/sample.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { BATCH, drawBatches } from "./draw-batches.ts";

/** Draws images of one pixel, which say their numbers. */
const numbering = {
  sample: async (_: Denoiser, { batchSize = 1, firstIndex = 0, onStep, signal }: SampleOptions) => {
    await onStep?.({ step: 1, steps: 1, t: 0 } as never);
    signal?.throwIfAborted();
    const images = ndarray(
      Float32Array.from({ length: batchSize }, (_, i) => firstIndex + i),
      [batchSize, 1, 1, 1],
    );
    return { ...images, steps: [] };
  },
} as unknown as Diffusion;
const model = {} as Denoiser;
const upTo = (end: number) => [...new Array(end).keys()];

describe("two processes that draw", () => {
  const number = 6 * BATCH - 5;

  /** What each gets, if the second one is asked to stop after so many of its batches. */
  async function drawn(stopAfter: number): Promise<number[][]> {
    const asked = new AbortController();
    const ranks = inProcessCollectives(2).map(async (each) => {
      const images: number[] = [];
      const onStep = (done: number): void => {
        if (each.rank === 1 && done === stopAfter) asked.abort();
      };
      const options = { number, seed: 0, onStep, ...(each.rank === 1 && { signal: asked.signal }) };
      for await (const { data } of drawBatches(numbering, model, options, each)) images.push(...data);
      return images;
    });
    return Promise.all(ranks);
  }

  test("give all images to the first one, in their order", async () => {
    expect(await drawn(Infinity)).toEqual([upTo(number), []]);
  });

  test("end together when one is asked to, with the batches that they have begun", async () => {
    expect(await drawn(2)).toEqual([upTo(4 * BATCH), []]);
  });
});

test("a single process stops within a batch, with the reason", async () => {
  const asked = new AbortController();
  const onStep = (done: number): void => void (done === 2 && asked.abort(new Error("interrupted")));
  const batches = drawBatches(numbering, model, { number: 3 * BATCH, seed: 0, onStep, signal: asked.signal });
  expect(await batches.next()).toMatchObject({ value: { shape: [BATCH, 1, 1, 1] } });
  await expect(batches.next()).rejects.toThrow("interrupted");
});
