import { ReferenceBackend, fromBytes, ndarray } from "unnoise";
import { expect, test } from "vitest";
import { garmentOf } from "../common/garments.ts";
import { firstGarments, nodeDrawer } from "../common/test-data.ts";
import { PerfectDenoiser, PerfectGuesser, copiesOf } from "./model.ts";

test("the perfect denoiser is sure where there is little noise, answers with the mean where there is much, and draws copies", async () => {
  const bytes = await firstGarments();
  const world = ndarray(fromBytes(bytes), [64, 28, 28, 1]);
  const { diffusion, backend } = await nodeDrawer();
  const perfect = new PerfectDenoiser(world, diffusion);
  const guesser = new PerfectGuesser(new ReferenceBackend(), diffusion, perfect);

  const sure = await guesser.at(garmentOf(bytes, 5), 300, 1);
  expect(sure.weights.data[5]).toBeGreaterThan(0.999);
  expect(copiesOf(sure.clean, world)).toEqual([5]);

  const unsure = await guesser.at(garmentOf(bytes, 5), 999, 1);
  const mean = Float64Array.from({ length: 784 }, (_, p) => {
    let sum = 0;
    for (let i = 0; i < 64; i++) sum += world.data[i * 784 + p];
    return sum / 64;
  });
  const error = Math.max(...mean.map((value, p) => Math.abs(value - unsure.clean.data[p])));
  expect(error).toBeLessThan(0.1);
  expect(Math.max(...unsure.weights.data)).toBeLessThan(0.05);

  const drawn = await diffusion.sample(perfect, { backend, batchSize: 8, imageSize: 28, seed: 2, steps: 50 });
  expect(copiesOf(drawn, world).every((copy) => copy >= 0)).toBe(true);
  await backend.close();
});
