import { expect, test } from "vitest";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../models/unet/unet.ts";
import { check } from "../config/rules.ts";
import { configOf, configProblems, runConfig } from "./run-config.ts";
import { trainingSettings } from "./training-settings.ts";

const small = { dim: 8, channels: 1, dimMults: [1, 2] };
const diffusion = new GaussianDiffusion({ timesteps: 10 });
const settings = check(trainingSettings, { batchSize: 2, learningRate: 1e-3 }, "settings");
const labels = [0, 1, 0, 1];
const dataset = (classNames?: string[]) =>
  memoryDataset({ name: "things", images: new Uint8Array(64), shape: [4, 4, 4, 1], labels, classNames });
const configOfUnet = (numClasses: number, classNames?: string[]) =>
  configOf(new Unet({ ...small, numClasses }), diffusion, settings, dataset(classNames));

test("a config from before there were conditions is that of a model without any", () => {
  const config = configOfUnet(0, ["bag", "boot"]);
  const { architecture: _, numClasses: __, vectorDim: ___, contextDim: ____, ...model } = config.model;
  const { condDropProb: _____, ...training } = config.training;
  const old: unknown = JSON.parse(JSON.stringify({ ...config, model, training }));
  expect(check(runConfig, old, "config")).toEqual(config);
  expect(configProblems(config, check(runConfig, old, "config"))).toEqual([]);
});

test("class names are kept with a model that knows classes, numbers where there are none", () => {
  expect(configOfUnet(0, ["bag", "boot"]).dataset.classNames).toBeUndefined();
  const config = configOfUnet(2, ["bag", "boot"]);
  expect(config.dataset.classNames).toEqual(["bag", "boot"]);
  expect(check(runConfig, JSON.parse(JSON.stringify(config)), "config")).toEqual(config);
  expect(configOfUnet(2).dataset.classNames).toEqual(["0", "1"]);
  expect(configProblems(configOfUnet(2, ["boot", "bag"]), config)).toEqual([
    'dataset.classNames is ["bag","boot"] there and ["boot","bag"] here',
  ]);
});
