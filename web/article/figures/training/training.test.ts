import { fashionMnist } from "unnoise";
import { expect, test } from "vitest";
import { SIDE, SMALL_SIDE, halved } from "../common/garment-sizes.ts";
import { decodeCheckpoint, createBackend, modelFromCheckpoint, parseSafetensors } from "unnoise";
import { GarmentLearner } from "./model.ts";

const BOOT = 9;

async function smallBoots(count: number): Promise<Uint8Array> {
  const dataset = await fashionMnist({ split: "test" });
  const boots = Array.from(dataset.labels ?? []).flatMap((label, i) => (label === BOOT ? [i] : []));
  const bytes = new Uint8Array(count * SIDE ** 2);
  await dataset.read(boots.slice(0, count), bytes);
  return halved(bytes);
}

test("the network of the page learns in Node too, and what it saves is a checkpoint that draws the same", async () => {
  const backend = await createBackend({ device: "wasm", threads: 1 });
  const learner = new GarmentLearner(backend, await smallBoots(200), 0);
  await learner.train(60);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(learner.losses.slice(-10))).toBeLessThan(0.4 * mean(learner.losses.slice(0, 10)));

  const checkpoint = await decodeCheckpoint(parseSafetensors(await learner.file()), "saved");
  expect(checkpoint.step).toBe(60);
  const restored = await modelFromCheckpoint(checkpoint);
  const state = async (name: string) => (await restored.parameters().get(name)?.read()) ?? [];
  const [name, variable] = [...learner.trainer.samplingModel.parameters()][0];
  expect(await state(name)).toEqual(await variable.read());
  learner.dispose();
  await backend.close();
});

test("small garments are means of four pixels", async () => {
  const image = Uint8Array.from({ length: SIDE ** 2 }, (_, i) => ((i % SIDE) + Math.floor(i / SIDE)) % 256);
  const small = halved(image);
  expect(small).toHaveLength(SMALL_SIDE ** 2);
  // Of x + y over 2 x 2 pixels from (2 x, 2 y) on.
  expect([small[0], small[1], small[SMALL_SIDE], small.at(-1)]).toEqual([1, 3, 3, 53]);
});
