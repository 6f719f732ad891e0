// Compiles the programs that the page's figures run: node --conditions unnoise-source ahead.ts FOLDER [isolated]
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileAhead, fromBytes, ndarray } from "unnoise";
import type { Backend } from "unnoise";
import { firstGarments, nodeDrawer } from "../../figures/common/test-data.ts";
import { GARMENTS, SIDE, SMALL_SIDE } from "../../figures/common/garment-sizes.ts";
import { garmentOf } from "../../figures/common/garments.ts";
import { denoise } from "../../figures/denoising/model.ts";
import { paint, vary, walkBetween } from "../../figures/editing/model.ts";
import { Guesser } from "../../figures/guess/model.ts";
import { guided } from "../../figures/guidance/model.ts";
import { PointLearner } from "../../figures/points/model.ts";
import { pointsOf } from "../../figures/points/shapes.ts";
import { drawWay, ways } from "../../figures/samplers/model.ts";
import { openingSettings } from "../../figures/opening/settings.ts";
import { PerfectDenoiser, PerfectGuesser, drawPerfect } from "../../figures/perfect/model.ts";
import { GarmentLearner } from "../../figures/training/model.ts";

/** As many images as figures draw, on wide screens and on narrow ones. */
const BATCHES = [8, 4];
const seed = 0;

/** Does what the figures do, in as few steps as go. */
async function useFigures(backend: Backend): Promise<void> {
  const { model, diffusion } = await nodeDrawer();
  const drawer = { model, diffusion, backend };
  const garments = await firstGarments();
  const picture = garmentOf(garments, 0);
  await denoise(drawer, { ...openingSettings(seed), steps: 1 });
  await new Guesser(backend, diffusion, model).at(picture, 1, seed);
  const perfect = new PerfectDenoiser(ndarray(fromBytes(garments), [GARMENTS, SIDE, SIDE, 1]), diffusion);
  await new PerfectGuesser(backend, diffusion, perfect).at(picture, 1, seed);
  await walkBetween(drawer, picture, picture);
  for (const batchSize of BATCHES) {
    for (const eta of [0, 1]) await denoise(drawer, { seed, steps: 3, eta, batchSize });
    for (const way of ways) await drawWay(drawer, way, { seed, steps: 5, batchSize });
    await drawPerfect(perfect, drawer, { seed, batchSize });
    await guided(drawer, { seed, scale: 1, garment: -1, rescale: 0, batchSize });
    await vary(drawer, picture, { seed, strength: 0.1, batchSize });
    await paint(drawer, picture, ndarray(new Float32Array(picture.data.length).fill(1), picture.shape), {
      seed,
      batchSize,
    });
  }
  const points = new PointLearner(backend, pointsOf("moons", 8, seed), seed);
  await points.train(1);
  await points.arrows(1);
  await points.sample(2);
  const learner = new GarmentLearner(backend, new Uint8Array(16 * SMALL_SIDE ** 2), seed);
  await learner.train(1);
  for (const batchSize of BATCHES) await learner.sample(batchSize);
}

const [folder, kind] = process.argv.slice(2);
const pages = kind === "isolated" ? [{ relaxedSimd: true, sharedMemory: true }] : undefined;
for (const [name, bytes] of await compileAhead(useFigures, { pages })) await writeFile(join(folder, name), bytes);
