import { Unet } from "../models/unet/unet.ts";
import { UnetClassifier } from "../models/unet/classifier.ts";
import type { UnetOptions } from "../models/unet/options.ts";

/** What a trainer trains: a network that sees images in noise, or one that tells which class they are of. */
export type TrainedModel = Unet | UnetClassifier;

export const architectures = ["unet", "unetClassifier"] as const;
export type Architecture = (typeof architectures)[number];

export function architectureOf(model: TrainedModel): Architecture {
  return model instanceof UnetClassifier ? "unetClassifier" : "unet";
}

/** A model of an architecture, with the weights of its seed. */
export function newModel(architecture: Architecture, options: UnetOptions): TrainedModel {
  if (architecture === "unet") return new Unet(options);
  return new UnetClassifier({ ...options, numClasses: options.numClasses ?? 0 });
}

/** A model with the same options, and the weights of its seed. */
export function modelLike<Model extends TrainedModel>(model: Model): Model {
  return newModel(architectureOf(model), model.options) as Model;
}
