import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ReferenceBackend } from "../../../backend/reference/backend.ts";
import { memoryDataset } from "../../../data/dataset.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../../models/unet/unet.ts";
import { UnetClassifier } from "../../../models/unet/classifier.ts";
import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { RunDirectory } from "../../../checkpoint/run-directory.node.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { Trainer } from "../../../training/trainer.ts";
import { endClasses, wantedOf } from "./guiding.ts";

const backend = ReferenceBackend.create();
const small = { dim: 4, channels: 1, dimMults: [1], attentionHeads: 1, attentionDimHead: 4, numClasses: 3 };
const classNames = ["T-shirt", "Bag", "Ankle boot"];

/** A checkpoint from before the first step. */
function checkpointOf(
  model: DiffusionModel,
  { timesteps = 10, side = 4, condDropProb = 0.1 } = {},
): Promise<Checkpoint> {
  const images = new Uint8Array(6 * side * side);
  const shape = [6, side, side, 1];
  const dataset = memoryDataset({ name: "things", images, shape, labels: [0, 1, 2, 0, 1, 2], classNames });
  const diffusion = new GaussianDiffusion({ timesteps });
  return new Trainer({
    model,
    diffusion,
    dataset,
    batchSize: 2,
    learningRate: 1e-3,
    condDropProb,
    backend,
  }).checkpoint();
}

describe("what flags ask for", () => {
  let directory: string;
  let [plain, conditional]: Checkpoint[] = [];
  const classifierIn = async (name: string, options: object): Promise<string> => {
    return runWith(name, await checkpointOf(new UnetClassifier(small), options));
  };
  const runWith = async (name: string, checkpoint: Checkpoint): Promise<string> => {
    const path = join(directory, name);
    const run = new RunDirectory(path);
    await run.begin(checkpoint.config, 0);
    await run.save(checkpoint);
    return path;
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "unnoise-guiding-"));
    plain = await checkpointOf(new Unet({ ...small, numClasses: 0 }));
    conditional = await checkpointOf(new Unet(small));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("of a model without classes is images", async () => {
    expect(await wantedOf({}, plain)).toEqual({ number: 16, guidance: {} });
    expect(await wantedOf({ number: 3 }, plain)).toMatchObject({ number: 3 });
  });

  test("of an image that is edited is no class, unless one is named", async () => {
    expect(await wantedOf({ init: "a.png" }, conditional)).toEqual({ number: 16, guidance: {} });
    const bags = await wantedOf({ inpaint: "a.png", class: "bag", guidance: 2, number: 2 }, conditional);
    expect(bags).toMatchObject({ classes: [1, 1], guidance: { condScale: 2 } });
    await expect(wantedOf({ init: "a.png", guidance: 2 }, conditional)).rejects.toThrow(
      "--guidance and --classifier: need --class where an image is edited",
    );
    const strict = await checkpointOf(new Unet(small), { condDropProb: 0 });
    await expect(wantedOf({ init: "a.png" }, strict)).rejects.toThrow(
      "--class: this model was trained with --cond-drop-prob 0, so it does not know images of no class",
    );
  });

  test("of a class-conditional model is all classes in turn, equally many of each, or those named", async () => {
    const all = await wantedOf({}, conditional);
    expect(all).toMatchObject({ number: 18, columns: 3 });
    expect(all.classes?.slice(0, 4)).toEqual([0, 1, 2, 0]);
    expect(await wantedOf({ class: "ankle boot", guidance: 3, rescalePhi: 0.7, number: 2 }, conditional)).toEqual({
      number: 2,
      classes: [2, 2],
      columns: undefined,
      guidance: { condScale: 3, rescaledPhi: 0.7 },
    });
  });

  test("of the ends of an interpolation is one class for both, or one for each", async () => {
    expect(endClasses("bag", conditional)).toEqual({ classes: [1], toClasses: [1] });
    expect(endClasses("ankle boot,0", conditional)).toEqual({ classes: [2], toClasses: [0] });
    expect(endClasses(undefined, plain)).toEqual({});
    expect(() => endClasses("bag", plain)).toThrow("--class: this model is not class-conditional");
    const strict = await checkpointOf(new Unet(small), { condDropProb: 0 });
    expect(endClasses("bag", strict)).toEqual({ classes: [1], toClasses: [1] });
    expect(() => endClasses(undefined, strict)).toThrow("interpolate without --class: this model was trained with");
    expect(() => endClasses("all", conditional)).toThrow("--class: takes one class or two, got 3");
  });

  test("of a classifier is what it knows, at its own scale", async () => {
    const path = await classifierIn("fitting", {});
    const wanted = await wantedOf({ classifier: path, class: "bag,2", guidance: 5 }, plain);
    expect(wanted).toMatchObject({ number: 16, columns: 2, guidance: { classifierScale: 5 } });
    expect(wanted.classes?.slice(0, 3)).toEqual([1, 2, 1]);
    expect(wanted.guidance.classifier).toBeInstanceOf(UnetClassifier);
  });

  test("that cannot be is refused in one line", async () => {
    await expect(wantedOf({ class: "bag" }, plain)).rejects.toThrow("--class: this model is not class-conditional; ");
    await expect(wantedOf({ guidance: 2 }, plain)).rejects.toThrow("--guidance: this model is not class-conditional; ");
    await expect(wantedOf({ class: "umbrella" }, conditional)).rejects.toThrow(
      'no class "umbrella". The classes are T-shirt, Bag, "Ankle boot"',
    );
    const undropped = await checkpointOf(new Unet(small), { condDropProb: 0 });
    await expect(wantedOf({ guidance: 2 }, undropped)).rejects.toThrow(
      "--guidance: this model was trained with --cond-drop-prob 0, so it does not know images of no class",
    );
    expect(await wantedOf({ guidance: 1 }, undropped)).toMatchObject({ number: 18 });

    await expect(wantedOf({ classifier: await runWith("drawing", plain) }, plain)).rejects.toThrow(
      "is a model that draws images, not a classifier of noisy ones",
    );
    const other = { classifier: await classifierIn("other", { timesteps: 11 }) };
    await expect(wantedOf(other, plain)).rejects.toThrow("was trained with another noise schedule than the model");
    const larger = { classifier: await classifierIn("larger", { side: 8 }) };
    await expect(wantedOf(larger, plain)).rejects.toThrow("knows images of 8 x 8 x 1, the model draws 4 x 4 x 1");
    await expect(wantedOf({ classifier: larger.classifier, rescalePhi: 0.5 }, plain)).rejects.toThrow(
      "--rescale-phi: is for guidance without --classifier",
    );
  });
});
